/* What the machine has and what this process may use. SPDX-License-Identifier: MIT */
#include "build_config.h"

#include <assert.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/memory.h"
#include "machine/launch.h"
#include "machine/limits.h"
#include "machine/view.h"

/* ---- NUMA nodes */

/* All NUMA nodes, in hwloc's logical order, and which of them serves whom. */
typedef struct survey {
  const nu_view *view;
  size_t n;
  hwloc_obj_t *nodes; /* [n], owned */
  bool *own;          /* [n]: has cores of its own; owned */
  size_t *server;     /* [n + 1]: the node whose memory the cores of a node use, the last for cores
                         without     a node; n where there is none at all; owned */
  size_t *cores;      /* [n + 1]: usable ones that a node serves; owned */
  struct hwloc_distances_s *distances; /* latencies, or NULL; hwloc's */
} survey;

static bool serves(const survey *s, size_t node) {
  return hwloc_bitmap_isset(s->view->memory, s->nodes[node]->os_index);
}

/* From a core of one node to the memory of another; the same for all where the machine tells
 * nothing. */
static uint64_t distance(const survey *s, size_t from, size_t to) {
  if (!s->distances || from == s->n) return 0;
  int row = hwloc_distances_obj_index(s->distances, s->nodes[from]);
  int column = hwloc_distances_obj_index(s->distances, s->nodes[to]);
  if (row < 0 || column < 0) return UINT64_MAX;
  return s->distances->values[(unsigned)row * s->distances->nbobjs + (unsigned)column];
}

static hwloc_obj_t package_of(const survey *s, hwloc_obj_t object) {
  return hwloc_get_ancestor_obj_by_type(s->view->topology, HWLOC_OBJ_PACKAGE, object);
}

static bool shares_package(const survey *s, size_t a, size_t b) {
  hwloc_obj_t package = a < s->n ? package_of(s, s->nodes[a]) : NULL;
  return package && package == package_of(s, s->nodes[b]);
}

/* Memory with cores goes before memory alone, which is smaller or slower than it; then what is
 * near. */
static bool is_better(const survey *s, size_t from, size_t a, size_t b) {
  if (b == s->n) return true;
  if (s->own[a] != s->own[b]) return s->own[a];
  uint64_t to_a = distance(s, from, a), to_b = distance(s, from, b);
  if (to_a != to_b) return to_a < to_b;
  return shares_package(s, from, a) && !shares_package(s, from, b);
}

static size_t find_server(const survey *s, size_t from) {
  if (from < s->n && s->own[from] && serves(s, from)) return from;
  size_t best = s->n;
  for (size_t i = 0; i < s->n; i++)
    if (serves(s, i) && is_better(s, from, i, best)) best = i;
  return best;
}

/* The node that a processor belongs to, or n. Neighbours mostly share theirs: `guess` saves the
 * search. */
static size_t home_of(const survey *s, hwloc_obj_t pu, size_t guess) {
  if (guess < s->n && hwloc_bitmap_isset(s->nodes[guess]->cpuset, pu->os_index)) return guess;
  size_t i = 0;
  while (i < s->n && !(s->own[i] && hwloc_bitmap_isset(s->nodes[i]->cpuset, pu->os_index))) i++;
  return i;
}

static void find_distances(survey *s) {
  unsigned n = 1;
  if (hwloc_distances_get_by_type(s->view->topology, HWLOC_OBJ_NUMANODE, &n, &s->distances,
                                  HWLOC_DISTANCES_KIND_MEANS_LATENCY, 0) != 0 ||
      n == 0)
    s->distances = NULL;
}

static numann_status survey_open(survey *s, const nu_view *view, numann_error *err) {
  int n = hwloc_get_nbobjs_by_type(view->topology, HWLOC_OBJ_NUMANODE);
  *s = (survey){.view = view, .n = n > 0 ? (size_t)n : 0};
  s->nodes = nu_alloc(s->n + 1, sizeof *s->nodes);
  s->own = nu_alloc(s->n + 1, sizeof *s->own);
  s->server = nu_alloc(s->n + 1, sizeof *s->server);
  s->cores = nu_alloc(s->n + 1, sizeof *s->cores);
  if (!s->nodes || !s->own || !s->server || !s->cores)
    return nu_fail_memory(err, s->n * sizeof *s->nodes, "the NUMA nodes");
  hwloc_obj_t node = NULL;
  for (size_t i = 0; i < s->n; i++) {
    s->nodes[i] = node = nu_view_next(view, HWLOC_OBJ_NUMANODE, node);
    s->own[i] = nu_view_has_own_cores(view, node);
  }
  find_distances(s);
  for (size_t i = 0; i <= s->n; i++) s->server[i] = find_server(s, i);
  return NUMANN_OK;
}

static void survey_close(survey *s) {
  if (s->distances) hwloc_distances_release(s->view->topology, s->distances);
  free(s->nodes);
  free(s->own);
  free(s->server);
  free(s->cores);
}

/* ---- processors */

/* What the core shares with its neighbours: the last-level cache, or the package where the largest
 * cache is the core's own. */
static hwloc_obj_t domain_of(const nu_view *v, hwloc_obj_t pu) {
  hwloc_obj_t cache = NULL, package = NULL;
  for (hwloc_obj_t object = pu; object; object = object->parent) {
    if (hwloc_obj_type_is_dcache(object->type)) cache = object;
    if (object->type == HWLOC_OBJ_PACKAGE || !object->parent) package = package ? package : object;
  }
  if (!cache) return package;
  hwloc_obj_t core = hwloc_get_ancestor_obj_by_type(v->topology, HWLOC_OBJ_CORE, pu);
  bool own = hwloc_bitmap_isincluded(cache->cpuset, (core ? core : pu)->cpuset);
  return cache->attr->cache.depth >= 3 || !own ? cache : package;
}

static unsigned number_of(const nu_view *v, hwloc_obj_type_t type, hwloc_obj_t pu,
                          unsigned otherwise) {
  hwloc_obj_t object = hwloc_get_ancestor_obj_by_type(v->topology, type, pu);
  return object ? object->logical_index : otherwise;
}

static int compare(size_t a, size_t b) { return (a > b) - (a < b); }

static int in_order(const void *left, const void *right) {
  const nu_processor *a = left, *b = right;
  int order = compare(a->node, b->node);
  if (order == 0) order = compare(a->package, b->package);
  if (order == 0) order = compare(a->l3, b->l3);
  if (order == 0) order = compare(a->core, b->core);
  return order != 0 ? order : compare(a->os, b->os);
}

/* Usable ones, `node` being the survey's number. Caches are counted over the whole machine. */
static void list_processors(const survey *s, nu_machine *machine) {
  const nu_view *v = s->view;
  hwloc_obj_t pu = NULL, last = NULL;
  size_t n = 0, home = s->n;
  unsigned domains = 0;
  while ((pu = nu_view_next(v, HWLOC_OBJ_PU, pu))) {
    hwloc_obj_t domain = domain_of(v, pu);
    domains += domain != last;
    last = domain;
    if (!hwloc_bitmap_isset(v->usable, pu->os_index)) continue;
    home = home_of(s, pu, home);
    assert(n < machine->processing_units);
    machine->processors[n++] =
        (nu_processor){.os = pu->os_index,
                       .core = number_of(v, HWLOC_OBJ_CORE, pu, pu->logical_index),
                       .l3 = domains - 1,
                       .package = number_of(v, HWLOC_OBJ_PACKAGE, pu, 0),
                       .node = s->server[home]};
  }
  assert(n == machine->processing_units);
  qsort(machine->processors, n, sizeof *machine->processors, in_order);
}

/* Siblings stand side by side. */
static void count_cores(survey *s, nu_machine *machine) {
  for (size_t i = 0; i < machine->processing_units; i++) {
    nu_processor *p = &machine->processors[i];
    bool sibling = i > 0 && p[-1].core == p->core;
    p->sibling = sibling ? p[-1].sibling + 1 : 0;
    machine->cores += !sibling;
    s->cores[p->node] += !sibling;
  }
}

/* ---- the model */

static numann_status model_processors(survey *s, nu_machine *machine, numann_error *err) {
  int n = hwloc_bitmap_weight(s->view->usable);
  assert(n > 0);
  machine->processing_units = (size_t)n;
  machine->processors = nu_alloc((size_t)n, sizeof *machine->processors);
  if (!machine->processors)
    return nu_fail_memory(err, (size_t)n * sizeof *machine->processors, "the processors");
  list_processors(s, machine);
  count_cores(s, machine);
  return NUMANN_OK;
}

/* Nodes with cores, then those without: their survey numbers become indices of machine->nodes. A
 * machine that names no memory has one node all the same. */
static void list_nodes(const survey *s, nu_machine *machine, size_t *index) {
  for (int with_cores = 1; with_cores >= 0; with_cores--) {
    for (size_t i = 0; i < s->n; i++) {
      if (!serves(s, i) || (s->cores[i] > 0) != with_cores) continue;
      size_t bytes = (size_t)s->nodes[i]->attr->numanode.local_memory;
      index[i] = machine->n_nodes;
      machine->nodes[machine->n_nodes++] =
          (nu_numa_node){.os = s->nodes[i]->os_index, .bytes = bytes, .cores = s->cores[i]};
      machine->memory_bytes += bytes;
    }
    if (with_cores) machine->numa_nodes = machine->n_nodes;
  }
  if (machine->n_nodes > 0) return;
  machine->nodes[0] = (nu_numa_node){.os = 0, .cores = machine->cores};
  machine->n_nodes = machine->numa_nodes = 1;
}

static numann_status model_nodes(const survey *s, nu_machine *machine, numann_error *err) {
  size_t *index = nu_alloc(s->n + 1, sizeof *index);
  machine->nodes = nu_alloc(s->n + 1, sizeof *machine->nodes);
  if (index && machine->nodes) {
    list_nodes(s, machine, index);
    for (size_t i = 0; i < machine->processing_units; i++)
      machine->processors[i].node = index[machine->processors[i].node];
  }
  bool refused = !index || !machine->nodes;
  free(index);
  return refused ? nu_fail_memory(err, s->n * sizeof *machine->nodes, "the NUMA nodes") : NUMANN_OK;
}

/* What a plan for few threads goes by: where this process is, and where others compute. */
static void look_around(const nu_view *v, const char *root, nu_machine *machine) {
  if (machine->foreign || !root || machine->numa_nodes < 2) return;
  for (size_t i = 0; i < machine->processing_units; i++)
    if ((int)machine->processors[i].os == v->here) machine->here = machine->processors[i].node;
  nu_launch_count_bound(machine, root);
}

static void measure_caches(const nu_view *v, nu_machine *machine) {
  size_t *const bytes[] = {&machine->l1d_bytes, &machine->l2_bytes, &machine->l3_bytes};
  static const hwloc_obj_type_t types[] = {HWLOC_OBJ_L1CACHE, HWLOC_OBJ_L2CACHE, HWLOC_OBJ_L3CACHE};
  unsigned first = (unsigned)hwloc_bitmap_first(v->usable);
  hwloc_obj_t pu = hwloc_get_pu_obj_by_os_index(v->topology, first);
  for (size_t i = 0; pu && i < sizeof types / sizeof types[0]; i++) {
    hwloc_obj_t cache = hwloc_get_ancestor_obj_by_type(v->topology, types[i], pu);
    if (cache) *bytes[i] = (size_t)cache->attr->cache.size;
  }
}

static void copy_model(const nu_view *v, nu_machine *machine) {
  hwloc_obj_t package = hwloc_get_obj_by_type(v->topology, HWLOC_OBJ_PACKAGE, 0);
  hwloc_obj_t root = hwloc_get_root_obj(v->topology);
  const char *model = package ? hwloc_obj_get_info_by_name(package, "CPUModel") : NULL;
  if (!model) model = hwloc_obj_get_info_by_name(root, "CPUModel");
  if (model) nu_show_format(machine->model, sizeof machine->model, "%s", model);
}

/* Where hwloc knows no cores, as on some virtual machines, processing units stand for them. */
static void count_host(const nu_view *v, nu_machine *machine) {
  hwloc_const_bitmap_t allowed = hwloc_topology_get_allowed_cpuset(v->topology);
  hwloc_obj_type_t type =
      hwloc_get_nbobjs_by_type(v->topology, HWLOC_OBJ_CORE) > 0 ? HWLOC_OBJ_CORE : HWLOC_OBJ_PU;
  for (hwloc_obj_t core = NULL; (core = nu_view_next(v, type, core));) {
    machine->host_cores += hwloc_bitmap_intersects(core->cpuset, allowed) != 0;
    machine->all_cores++;
  }
}

static void count_packages(const nu_view *v, nu_machine *machine) {
  for (hwloc_obj_t p = NULL; (p = nu_view_next(v, HWLOC_OBJ_PACKAGE, p));)
    machine->packages += nu_view_may_use(v, p);
  if (machine->packages == 0) machine->packages = 1;
}

numann_status nu_view_model(const nu_view *v, const nu_machine_source *source, nu_machine *machine,
                            numann_error *err) {
  survey s;
  *machine = (nu_machine){0};
  numann_status status = survey_open(&s, v, err);
  if (status == NUMANN_OK) status = model_processors(&s, machine, err);
  if (status == NUMANN_OK) status = model_nodes(&s, machine, err);
  survey_close(&s);
  machine->foreign = !hwloc_topology_is_thissystem(v->topology);
  machine->page_bytes = machine->foreign ? 0 : (size_t)sysconf(_SC_PAGESIZE);
  count_host(v, machine);
  count_packages(v, machine);
  measure_caches(v, machine);
  copy_model(v, machine);
  nu_limits_apply(machine, source->root);
  if (status == NUMANN_OK) look_around(v, source->root, machine);
  if (status != NUMANN_OK) nu_machine_clear(machine);
  return status;
}

void nu_machine_clear(nu_machine *machine) {
  free(machine->processors);
  free(machine->nodes);
  machine->processors = NULL;
  machine->nodes = NULL;
}

const char *nu_machine_library(void) { return "hwloc " HWLOC_VERSION; }
