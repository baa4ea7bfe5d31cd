/* Placement of random plans on random machines: every thread on a processor of its own, every byte
 * on one node, and there where the thread that works on it runs. SPDX-License-Identifier: MIT
 *
 * Who works on what is computed here once more, from the shares of the plan alone. */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "fake_machine.h"
#include "kernels/kernels.h"
#include "plan/ledger.h"

#define P NU_PANEL

#define must(s, holds) ck_assert_msg(holds, "seed %zu: %s", (s)->seed, #holds)

/* ---- the machines are what they were made to be */

static void look_at_counts(const fake_subject *s) {
  const nu_machine *m = s->machine;
  size_t cores = 0, with_cores = 0, of_nodes = 0;
  for (size_t p = 0; p < m->processing_units; p++) {
    const nu_processor *at = &m->processors[p];
    must(s, p == 0 || at->node >= at[-1].node);
    must(s, at->sibling == (p && at[-1].core == at->core ? at[-1].sibling + 1 : 0));
    cores += at->sibling == 0;
    with_cores += p == 0 || at->node != at[-1].node;
  }
  for (size_t n = 0; n < m->n_nodes; n++) of_nodes += m->nodes[n].cores;
  must(s, m->processing_units == s->fake.units && m->processing_units <= 512);
  must(s, cores == s->fake.cores && cores == m->cores && of_nodes == cores);
  must(s, with_cores == s->fake.nodes && with_cores == m->numa_nodes);
}

START_TEST(machines_are_as_they_were_made) { for_each_fake(_i, look_at_counts); }
END_TEST

/* ---- threads */

static size_t index_of(const fake_subject *s, unsigned os) {
  size_t p = 0;
  while (p < s->machine->processing_units && s->machine->processors[p].os != os) p++;
  must(s, p < s->machine->processing_units);
  return p;
}

/* Threads on each processor. */
static size_t *count_threads(const fake_subject *s) {
  size_t *count = nu_alloc(s->machine->processing_units, sizeof *count);
  ck_assert_ptr_nonnull(count);
  for (size_t t = 0; t < s->plan.threads; t++)
    count[index_of(s, s->placement->seats[t].processor.os)]++;
  return count;
}

static void look_at_distinct_seats(const fake_subject *s) {
  size_t *count = count_threads(s), units = s->machine->processing_units, threads = s->plan.threads;
  for (size_t p = 0, on_core = 0; p < units; p++) {
    on_core = s->machine->processors[p].sibling ? on_core + count[p] : count[p];
    must(s, count[p] >= threads / units && count[p] <= (threads + units - 1) / units);
    if (threads <= s->machine->cores) must(s, on_core <= 1);
    else must(s, s->machine->processors[p].sibling || count[p] >= 1);
  }
  free(count);
}

/* Shares of the nodes, or of a node's caches: in proportion to their cores, less than one thread
 * off. */
static void look_at_spread(const fake_subject *s, bool caches) {
  const nu_machine *m = s->machine;
  size_t *count = count_threads(s);
  for (size_t p = 0, end; p < m->processing_units; p = end) {
    size_t room = 0, mine = 0, all_room = 0, all = 0;
    for (size_t q = 0; q < m->processing_units; q++) {
      if (caches && m->processors[q].node != m->processors[p].node) continue;
      all_room += m->processors[q].sibling == 0;
      all += count[q];
    }
    for (end = p; end < m->processing_units && m->processors[end].node == m->processors[p].node &&
                  (!caches || m->processors[end].l3 == m->processors[p].l3);
         end++) {
      room += m->processors[end].sibling == 0;
      mine += count[end];
    }
    must(s, mine * all_room < all * room + all_room && all * room < (mine + 1) * all_room);
  }
  free(count);
}

static void look_at_first_cores(const fake_subject *s) {
  const nu_machine *m = s->machine;
  const nu_processor *first = m->processors, *end = first + m->processing_units, *at = first;
  while (at < end && m->nodes[at->node].cores < s->plan.threads) at++;
  if (at == end) at = first;
  for (size_t seat = 0; at < end && seat < s->plan.threads; at++)
    if (!at->sibling) must(s, s->placement->seats[seat++].processor.os == at->os);
}

static void look_at_threads(const fake_subject *s) {
  const nu_placement *p = s->placement;
  must(s, p->n_threads == s->plan.threads && p->placing != NU_PLACE_AUTO);
  for (size_t t = 0; t < p->n_threads; t++) {
    const nu_seat *seat = &p->seats[t];
    size_t at = index_of(s, seat->processor.os);
    must(s, seat->node < p->n_nodes && p->nodes[seat->node].cores > 0);
    must(s, p->nodes[seat->node].os == s->machine->nodes[s->machine->processors[at].node].os);
    if (p->width == NU_BIND_OMP) must(s, seat->processor.os == s->given[t]);
    else must(s, t == 0 || at >= index_of(s, seat[-1].processor.os));
  }
  if (p->width == NU_BIND_OMP) return;
  look_at_distinct_seats(s);
  if (s->plan.threads > s->machine->cores) return;
  if (p->placing == NU_PLACE_COMPACT) {
    look_at_first_cores(s);
    return;
  }
  look_at_spread(s, false);
  look_at_spread(s, true);
}

START_TEST(threads_have_processors_of_their_own) { for_each_fake(_i, look_at_threads); }
END_TEST

static void look_at_width(const fake_subject *s) {
  const nu_placement *p = s->placement;
  const nu_machine *m = s->machine;
  size_t threads = s->plan.threads;
  bool ordered = s->request.placing == NU_PLACE_COMPACT || s->request.placing == NU_PLACE_SCATTER;
  bool none = s->request.placing == NU_PLACE_NONE, chosen = threads >= m->cores;
  bool follows = s->given && !ordered && !none, refused = s->request.omp_unbound && !ordered;
  bool not = none || threads > nu_machine_slots(m) || refused ||
             (!ordered && !chosen && m->numa_nodes == 1);
  must(s, p->width == (follows             ? NU_BIND_OMP
                       : not               ? NU_BIND_NOT
                       : ordered || chosen ? NU_BIND_CORE
                                           : NU_BIND_NODE));
  must(s, (p->note[0] != '\0') == (s->given && ordered));
  must(s, p->why[0] != '\0');
  bool node_by_node = true, some = m->numa_nodes > 1 && p->width != NU_BIND_NOT;
  for (size_t t = 1; t < threads; t++) node_by_node &= p->seats[t].node >= p->seats[t - 1].node;
  must(s, nu_plan_places_memory(&s->plan) == (some && node_by_node));
  must(s, follows || node_by_node);
  must(s, nu_plan_nodes(&s->plan) == (nu_plan_places_memory(&s->plan) ? p->n_nodes : 1));
  size_t next = 0;
  for (size_t n = 0; n < nu_plan_nodes(&s->plan); n++) {
    nu_range mine = nu_plan_node_threads(&s->plan, n);
    must(s, mine.begin == next && mine.end > mine.begin);
    for (size_t t = mine.begin; t < mine.end; t++) must(s, nu_plan_node(&s->plan, t) == n);
    next = mine.end;
  }
  must(s, next == threads);
}

START_TEST(threads_are_bound_where_that_helps) { for_each_fake(_i, look_at_width); }
END_TEST

/* What NU_BIND_NODE allows: all processors of the used nodes, each once. */
static void look_at_processors(const fake_subject *s) {
  const nu_placement *p = s->placement;
  size_t next = 0;
  for (size_t n = 0; n < p->n_nodes; n++) {
    nu_range mine = nu_placement_processors(p, n);
    size_t cores = 0;
    must(s, mine.begin == next);
    for (size_t i = mine.begin; i < mine.end; i++) {
      must(s, s->machine->nodes[p->processors[i].node].os == p->nodes[n].os);
      cores += p->processors[i].sibling == 0;
    }
    must(s, cores == p->nodes[n].cores);
    next = mine.end;
  }
  must(s, next == p->n_processors);
}

START_TEST(a_node_has_all_its_processors) { for_each_fake(_i, look_at_processors); }
END_TEST

/* ---- bytes */

/* The stripes of a buffer, and how to ask them. */
typedef struct cut {
  const fake_subject *s;
  const nu_buffer *buffer;
  nu_stripe *stripes;
  size_t n;
} cut;

static cut cut_of(const fake_subject *s, const nu_buffer *buffer) {
  cut c = {s, buffer, NULL, nu_plan_stripes(&s->plan, s->network, buffer, NULL, 0)};
  c.stripes = nu_alloc(c.n + 1, sizeof *c.stripes);
  ck_assert_ptr_nonnull(c.stripes);
  must(s, nu_plan_stripes(&s->plan, s->network, buffer, c.stripes, c.n) == c.n);
  return c;
}

static void look_at_stripes(const cut *c) {
  const fake_subject *s = c->s;
  size_t at = 0;
  for (size_t i = 0; i < c->n; i++) {
    const nu_stripe *stripe = &c->stripes[i];
    must(s, stripe->begin == at && stripe->end > at && stripe->begin % NU_PAGE == 0);
    must(s, stripe->node < nu_plan_nodes(&s->plan));
    must(s, i == 0 || stripe->node != stripe[-1].node);
    at = stripe->end;
  }
  must(s, at == c->buffer->bytes);
  must(s, nu_plan_nodes(&s->plan) > 1 || c->n == 1);
}

static size_t node_at(const cut *c, size_t byte) {
  size_t low = 0, high = c->n;
  must(c->s, byte < c->buffer->bytes);
  while (high - low > 1) {
    size_t middle = (low + high) / 2;
    if (c->stripes[middle].begin <= byte) low = middle;
    else high = middle;
  }
  return c->stripes[low].node;
}

/* All of [begin, end) is the thread's. */
static void whole(const cut *c, size_t begin, size_t end, size_t thread) {
  size_t node = nu_plan_node(&c->s->plan, thread);
  for (size_t i = 0; i < c->n; i++) {
    if (c->stripes[i].end > begin && c->stripes[i].begin < end)
      must(c->s, c->stripes[i].node == node);
  }
}

/* Of [begin, end) the pages that begin there are the thread's. */
static void pages(const cut *c, size_t begin, size_t end, size_t thread) {
  for (size_t page = nu_round_up(begin, NU_PAGE); page < end && page < c->buffer->bytes;
       page += NU_PAGE)
    must(c->s, node_at(c, page) == nu_plan_node(&c->s->plan, thread));
}

/* A layer's parameters that a thread of `n` works on as number `i`, at `base` of the buffer,
 * `scale` inputs in a row: whole panels, or where they are fewer than the (largest group's) threads
 * blocks of inputs of each. */
static void look_at_part(const cut *c, size_t base, const nu_layer *layer, size_t panel,
                         size_t scale, bool thin, size_t n, size_t i, size_t thread) {
  size_t panels = nu_panels(layer->neurons), rows = (layer->inputs + scale) / scale;
  must(c->s, panel % NU_PAGE == 0);
  if (!thin) {
    nu_range mine = nu_share(panels, n, i);
    must(c->s, mine.end - mine.begin >= panels / n && mine.end - mine.begin <= panels / n + 1);
    whole(c, base + mine.begin * panel, base + mine.end * panel, thread);
    return;
  }
  size_t units = nu_panels(layer->inputs);
  nu_range mine =
      units < n ? (nu_range){units * i / n, units * (i + 1) / n} : nu_share(units, n, i);
  bool last = mine.end * P >= layer->inputs;
  for (size_t p = 0; p < panels && mine.begin < mine.end; p++) {
    size_t row = nu_panel_width(layer->neurons, p) * sizeof(float);
    pages(c, base + p * panel + mine.begin * P / scale * row,
          base + p * panel + (last ? rows : mine.end * P / scale) * row, thread);
  }
}

static size_t panel_bytes(const fake_subject *s, const nu_layer *layer, bool pairs) {
  return sizeof(float) * (pairs ? nu_plan_pair_panel_words(&s->plan, layer)
                                : nu_plan_panel_floats(&s->plan, layer));
}

/* Shared among all threads: weights, arrays of the optimiser. */
static void look_at_layer(const cut *c) {
  const fake_subject *s = c->s;
  const nu_layer *layer = &s->network->layers[c->buffer->layer];
  bool pairs = c->buffer->kind == NU_BUFFER_WEIGHT_PAIRS;
  bool weights = pairs || c->buffer->kind == NU_BUFFER_WEIGHTS;
  size_t threads = s->plan.threads, panel = panel_bytes(s, layer, pairs);
  if (weights && nu_plan_replicas(&s->plan) > 1) {
    must(s, c->n == 1 && c->stripes[0].node == c->buffer->of);
    return;
  }
  for (size_t t = 0; t < threads; t++)
    look_at_part(c, 0, layer, panel, pairs ? 2 : 1, nu_panels(layer->neurons) < threads, threads, t,
                 t);
}

static void look_at_gradient(const cut *c) {
  const fake_subject *s = c->s;
  const nu_plan *plan = &s->plan;
  bool root = c->buffer->kind == NU_BUFFER_ROOT;
  size_t group = root ? c->buffer->of / nu_plan_roots_of_group(plan) : 0;
  nu_range all = root ? nu_plan_members(plan, group) : (nu_range){0, plan->threads};
  for (size_t l = 0, base = 0; l < s->network->n_layers; l++) {
    const nu_layer *layer = &s->network->layers[l];
    size_t panels = nu_panels(layer->neurons), panel = panel_bytes(s, layer, false);
    bool thin = panels < (root ? nu_plan_members(plan, 0).end : plan->threads);
    for (size_t t = all.begin; t < all.end; t++)
      look_at_part(c, base, layer, panel, 1, thin, all.end - all.begin, t - all.begin, t);
    base += nu_plan_layer_floats(plan, layer) * sizeof(float);
    if (l + 1 == s->network->n_layers) must(s, base == c->buffer->bytes);
  }
}

static void look_at_rows(const cut *c) {
  const nu_plan *plan = &c->s->plan;
  size_t row = c->buffer->bytes / nu_plan_held(plan, plan->problem.batch);
  must(c->s, row * nu_plan_held(plan, plan->problem.batch) == c->buffer->bytes);
  for (size_t t = 0; t < plan->threads; t++) {
    nu_range mine = nu_plan_my_own(plan, nu_plan_chunk(plan, plan->problem.batch, t, 0).held, t);
    if (mine.begin < mine.end) pages(c, mine.begin * row, mine.end * row, t);
  }
}

static void look_at_own(const cut *c) { whole(c, 0, c->buffer->bytes, c->buffer->of); }

/* Small, and read by all. */
static void look_at_shared(const cut *c) { whole(c, 0, c->buffer->bytes, 0); }

static void look_at_data(const cut *c) {
  size_t threads = c->s->plan.threads, next = 0;
  for (size_t n = 0; n < c->n; n++) {
    nu_range of_node = nu_plan_node_threads(&c->s->plan, c->stripes[n].node);
    size_t fair = c->buffer->bytes / threads * of_node.end;
    must(c->s,
         c->stripes[n].end + threads >= fair && c->stripes[n].end <= fair + threads + NU_PAGE);
    must(c->s, c->stripes[n].node >= next);
    next = c->stripes[n].node + 1;
  }
}

static void (*const looks[NU_BUFFER_KINDS])(const cut *) = {
    [NU_BUFFER_WEIGHTS] = look_at_layer,     [NU_BUFFER_ARRAY] = look_at_layer,
    [NU_BUFFER_NETS] = look_at_rows,         [NU_BUFFER_WEIGHT_PAIRS] = look_at_layer,
    [NU_BUFFER_LOSSES] = look_at_shared,     [NU_BUFFER_NORMS] = look_at_shared,
    [NU_BUFFER_GRADIENT] = look_at_gradient, [NU_BUFFER_ROOT] = look_at_gradient,
    [NU_BUFFER_INPUTS] = look_at_rows,       [NU_BUFFER_TARGETS] = look_at_rows,
    [NU_BUFFER_ACTIVATIONS] = look_at_rows,  [NU_BUFFER_DELTAS] = look_at_rows,
    [NU_BUFFER_INPUT_PAIRS] = look_at_rows,  [NU_BUFFER_ACTIVATION_PAIRS] = look_at_rows,
    [NU_BUFFER_DELTA_PAIRS] = look_at_rows,  [NU_BUFFER_SCRATCH] = look_at_own,
    [NU_BUFFER_PACKED] = look_at_own,        [NU_BUFFER_DATA] = look_at_data};

typedef struct buffers {
  nu_buffer *items; /* [n], owned */
  size_t n, capacity;
} buffers;

static void collect(const nu_buffer *buffer, void *arg) {
  buffers *all = arg;
  ck_assert(nu_grow(&all->items, &all->capacity, all->n + 1, sizeof *all->items));
  all->items[all->n++] = *buffer;
}

static buffers buffers_of(const fake_subject *s, size_t data_bytes) {
  buffers all = {.n = 0};
  nu_ledger_walk_training(&s->plan, s->network, data_bytes, collect, &all);
  return all;
}

/* Of many alike, such as the roots of 500 groups, a few will do. */
static void look_at_memory(const fake_subject *s) {
  size_t data = roll(&(dice){s->seed}, 1, 5000000);
  buffers all = buffers_of(s, data);
  must(s, all.items[all.n - 1].kind == NU_BUFFER_DATA && all.items[all.n - 1].bytes == data);
  for (size_t b = 0, alike = 0; b < all.n; b++) {
    const nu_buffer *buffer = &all.items[b];
    alike = b && buffer->kind == buffer[-1].kind ? alike + 1 : 0;
    if (alike > 6 && alike % 37) continue;
    cut c = cut_of(s, buffer);
    look_at_stripes(&c);
    if (nu_plan_nodes(&s->plan) > 1) looks[buffer->kind](&c);
    free(c.stripes);
  }
  free(all.items);
}

START_TEST(every_byte_is_on_the_node_of_its_thread) { for_each_fake(_i, look_at_memory); }
END_TEST

static void look_at_replicas(const fake_subject *s) {
  size_t floats = 0, smallest = s->placement->nodes[0].bytes;
  for (size_t l = 0; l < s->network->n_layers; l++)
    floats += nu_engine_size(s->network->layers[l].inputs, s->network->layers[l].neurons);
  for (size_t n = 0; n < s->placement->n_nodes; n++)
    smallest = s->placement->nodes[n].bytes < smallest ? s->placement->nodes[n].bytes : smallest;
  bool wanted = nu_plan_places_memory(&s->plan) && s->plan.groups > 1 &&
                floats * sizeof(float) * 16 <= smallest && s->placement->n_nodes <= 64;
  must(s, nu_plan_replicas(&s->plan) == (wanted ? s->placement->n_nodes : 1));
}

START_TEST(small_weights_of_several_groups_are_copied) { for_each_fake(_i, look_at_replicas); }
END_TEST

/* ---- the same again */

static void look_at_text(const fake_subject *s) {
  nu_text once = {0}, again = {0};
  nu_plan other = s->plan;
  nu_placement *placement = fake_placement_of(s);
  other.placement = placement;
  nu_placement_draw(&s->plan, s->network, s->seed % 2 * 1000000, &once);
  nu_placement_draw(&other, s->network, s->seed % 2 * 1000000, &again);
  must(s,
       once.length > 0 && !once.failed && strcmp(nu_text_view(&once), nu_text_view(&again)) == 0);
  nu_text_clear(&once);
  nu_text_clear(&again);
  nu_placement_destroy(placement);
}

START_TEST(the_same_input_gives_the_same_text) { for_each_fake(_i, look_at_text); }
END_TEST

/* ---- machines as hwloc describes them */

START_TEST(described_machines_have_the_same_properties) {
  for (size_t seed = 1; seed <= 60; seed++) {
    dice d = dice_of(seed + 5000);
    fake_words words = fake_words_of(&d);
    fake_subject s = {.seed = seed,
                      .fake = {.nodes = words.nodes, .cores = words.cores, .units = words.units}};
    nu_machine_source source = {.topology = words.text};
    numann_error err;
    numann_status status = nu_machine_detect_from(&s.fake.machine, &source, &err);
    ck_assert_msg(status == NUMANN_OK, "%s: %s", words.text, err.message);
    s.machine = &s.fake.machine;
    s.network = fake_network_of(&d);
    s.plan = fake_plan_of(&d, s.machine);
    s.request = (nu_placement_request){.placing = NU_PLACE_SCATTER, .ordered = true};
    s.plan.placement = s.placement = fake_placement_of(&s);
    must(&s, s.machine->foreign && s.machine->all_cores == words.cores);
    look_at_counts(&s);
    look_at_threads(&s);
    look_at_memory(&s);
    nu_placement_destroy(s.placement);
    numann_network_destroy(s.network);
    nu_machine_clear(&s.fake.machine);
  }
}
END_TEST

/* ---- the ledger as a whole; check_ledger.c counts its bytes */

static int by_what(const void *a, const void *b) {
  const nu_buffer *x = a, *y = b;
  if (x->kind != y->kind) return x->kind < y->kind ? -1 : 1;
  if (x->layer != y->layer) return x->layer < y->layer ? -1 : 1;
  return x->of < y->of ? -1 : x->of > y->of;
}

/* No buffer is booked twice, none is empty; sums by kind, by node and over all are those of the walk. */
static void look_at_ledger(const fake_subject *s) {
  const size_t data = s->seed % 3 * 100000, nodes = nu_plan_nodes(&s->plan);
  buffers all = buffers_of(s, data);
  size_t kinds[NU_BUFFER_KINDS] = {0}, whole = 0;
  size_t *by_node = nu_plan_bytes_by_node(&s->plan, s->network, data);
  nu_use use = s->plan.fuse ? NU_USE_FUSED : NU_USE_GRADIENT;
  ck_assert_ptr_nonnull(by_node);
  qsort(all.items, all.n, sizeof *all.items, by_what);
  for (size_t i = 0; i < all.n; i++) {
    const nu_buffer *buffer = &all.items[i];
    must(s, buffer->bytes > 0 && buffer->kind < NU_BUFFER_KINDS);
    must(s, i == 0 || by_what(buffer - 1, buffer) < 0);
    kinds[buffer->kind] += buffer->bytes;
    if (buffer->kind != NU_BUFFER_DATA) whole += buffer->bytes;
  }
  for (size_t kind = 0; kind < NU_BUFFER_KINDS; kind++) {
    size_t on_nodes = 0;
    for (size_t n = 0; n < nodes; n++) on_nodes += by_node[kind * nodes + n];
    must(s, on_nodes == kinds[kind]);
    if (kind == NU_BUFFER_DATA) must(s, kinds[kind] == data);
    else must(s, nu_ledger_bytes(&s->plan, s->network, use, (nu_buffer_kind)kind) == kinds[kind]);
  }
  must(s, nu_ledger_bytes(&s->plan, s->network, use, NU_BUFFER_KINDS) == whole);
  free(by_node);
  free(all.items);
}

START_TEST(every_buffer_is_booked_once) { for_each_fake(_i, look_at_ledger); }
END_TEST

static Suite *placement_suite(void) {
  Suite *suite = suite_create("placement");
  TCase *tests = tcase_create("placement");
  tcase_set_timeout(tests, 120);
  tcase_add_loop_test(tests, machines_are_as_they_were_made, 0, FAKE_PARTS);
  tcase_add_loop_test(tests, threads_have_processors_of_their_own, 0, FAKE_PARTS);
  tcase_add_loop_test(tests, threads_are_bound_where_that_helps, 0, FAKE_PARTS);
  tcase_add_loop_test(tests, a_node_has_all_its_processors, 0, FAKE_PARTS);
  tcase_add_loop_test(tests, every_byte_is_on_the_node_of_its_thread, 0, FAKE_PARTS);
  tcase_add_loop_test(tests, small_weights_of_several_groups_are_copied, 0, FAKE_PARTS);
  tcase_add_loop_test(tests, the_same_input_gives_the_same_text, 0, FAKE_PARTS);
  tcase_add_test(tests, described_machines_have_the_same_properties);
  tcase_add_loop_test(tests, every_buffer_is_booked_once, 0, FAKE_PARTS);
  suite_add_tcase(suite, tests);
  return suite;
}

int main(void) {
  SRunner *runner = srunner_create(placement_suite());
  srunner_run_all(runner, CK_NORMAL);
  int failed = srunner_ntests_failed(runner);
  srunner_free(runner);
  return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
