/* The machine as a tree, and its limits. SPDX-License-Identifier: MIT */
#include "build_config.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "machine/limits.h"
#include "machine/view.h"

typedef struct drawing {
  const nu_view *view;
  const nu_machine *machine;
  nu_text *out;
} drawing;

/* ---- the tree */

static void add_indent(nu_text *out, size_t depth) {
  nu_text_addf(out, "%*s", (int)(2 * depth), "");
}

static size_t cores_below(const nu_view *v, hwloc_obj_t object) {
  int n = hwloc_get_nbobjs_inside_cpuset_by_type(v->topology, object->cpuset, HWLOC_OBJ_CORE);
  if (n <= 0) n = hwloc_get_nbobjs_inside_cpuset_by_type(v->topology, object->cpuset, HWLOC_OBJ_PU);
  return n > 0 ? (size_t)n : 0;
}

static hwloc_obj_t core_of(const nu_view *v, hwloc_obj_t object) {
  hwloc_obj_t core =
      hwloc_get_obj_inside_cpuset_by_type(v->topology, object->cpuset, HWLOC_OBJ_CORE, 0);
  return core ? core : object;
}

static void add_processors(nu_text *out, hwloc_obj_t const *run, size_t n) {
  char list[256];
  hwloc_bitmap_t all = hwloc_bitmap_alloc();
  for (size_t i = 0; all && i < n; i++) hwloc_bitmap_or(all, all, run[i]->cpuset);
  if (all && hwloc_bitmap_list_snprintf(list, sizeof list, all) >= 0)
    nu_text_addf(out, "  processors %s", list);
  out->failed |= !all;
  hwloc_bitmap_free(all);
}

/* A run of neighbours with one core each, on one line: a mark for each core. */
static void draw_cores(const nu_view *v, hwloc_obj_t const *run, size_t n, size_t depth,
                       nu_text *out) {
  if (n == 0) return;
  unsigned first = core_of(v, run[0])->logical_index;
  unsigned last = core_of(v, run[n - 1])->logical_index;
  add_indent(out, depth);
  nu_text_addf(out, n == 1 ? "core %u  " : "cores %u-%u  ", first, last);
  for (size_t i = 0; i < n; i++) nu_text_add(out, nu_view_may_use(v, run[i]) ? "#" : ".");
  add_processors(out, run, n);
  nu_text_add(out, "\n");
}

static void draw_label(hwloc_obj_t object, size_t depth, nu_text *out) {
  char type[64];
  hwloc_obj_type_snprintf(type, sizeof type, object, 0);
  add_indent(out, depth);
  if (object->type == HWLOC_OBJ_NUMANODE) nu_text_addf(out, "NUMA node %u", object->os_index);
  else if (hwloc_obj_type_is_cache(object->type) || object->type == HWLOC_OBJ_MACHINE)
    nu_text_add(out, object->type == HWLOC_OBJ_MACHINE ? "machine" : type);
  else
    nu_text_addf(out, "%s %u", object->type == HWLOC_OBJ_PACKAGE ? "package" : type,
                 object->logical_index);
}

static void draw_details(hwloc_obj_t object, nu_text *out) {
  const char *model = hwloc_obj_get_info_by_name(object, "CPUModel");
  size_t bytes = 0;
  if (object->type == HWLOC_OBJ_NUMANODE) bytes = (size_t)object->attr->numanode.local_memory;
  if (hwloc_obj_type_is_cache(object->type)) bytes = (size_t)object->attr->cache.size;
  if (bytes > 0) {
    nu_text_add(out, "  ");
    nu_text_add_bytes(out, bytes);
  }
  if (!model) return;
  nu_text_add(out, "  ");
  nu_text_add_shown(out, model);
}

/* The node whose memory the usable cores of `node` use, -1 where it has none. */
static long server_of(const nu_machine *machine, hwloc_obj_t node) {
  for (size_t i = 0; i < machine->processing_units; i++) {
    const nu_processor *p = &machine->processors[i];
    if (hwloc_bitmap_isset(node->cpuset, p->os)) return (long)machine->nodes[p->node].os;
  }
  return -1;
}

static void draw_node(const drawing *d, hwloc_obj_t node, size_t depth) {
  bool own = nu_view_has_own_cores(d->view, node),
       mine = hwloc_bitmap_isset(d->view->memory, node->os_index);
  bool empty = node->attr->numanode.local_memory == 0 &&
               hwloc_get_root_obj(d->view->topology)->total_memory > 0;
  long server = own ? server_of(d->machine, node) : -1;
  draw_label(node, depth, d->out);
  draw_details(node, d->out);
  if (!own) nu_text_add(d->out, "  memory alone");
  if (empty) nu_text_add(d->out, "  without memory");
  if (!empty && !mine) nu_text_add(d->out, "  memory not allowed");
  if (server >= 0 && server != (long)node->os_index)
    nu_text_addf(d->out, ": its cores use the memory of node %ld", server);
  nu_text_add(d->out, "\n");
}

/* The NUMA nodes that hang on an object. */
static void draw_nodes(const drawing *d, hwloc_obj_t object, size_t depth) {
  for (hwloc_obj_t node = object->memory_first_child; node; node = node->next_sibling)
    if (node->type == HWLOC_OBJ_NUMANODE) draw_node(d, node, depth);
}

/* A group has no name of its own: its NUMA node stands for it. hwloc's trees are a dozen levels
 * deep at most, which bounds the recursion. */
static void draw_object(const drawing *d, hwloc_obj_t object, size_t depth) {
  const nu_view *v = d->view;
  nu_text *out = d->out;
  bool named = object->type != HWLOC_OBJ_GROUP || object->memory_arity == 0;
  if (named) {
    draw_label(object, depth, out);
    draw_details(object, out);
    nu_text_add(out, "\n");
  }
  draw_nodes(d, object, depth + named);
  size_t run = 0; /* children before i that wait to be drawn as one line of cores */
  for (size_t i = 0; i < object->arity; i++) {
    hwloc_obj_t child = object->children[i];
    if (cores_below(v, child) <= 1 && child->memory_arity == 0) {
      run++;
      continue;
    }
    draw_cores(v, object->children + i - run, run, depth + 1, out);
    run = 0;
    draw_object(d, child, depth + 1);
  }
  draw_cores(v, object->children + object->arity - run, run, depth + 1, out);
}

static void draw_caches(const nu_machine *machine, nu_text *out) {
  const struct {
    const char *name;
    size_t bytes;
  } caches[] = {{"L1d", machine->l1d_bytes}, {"L2", machine->l2_bytes}, {"L3", machine->l3_bytes}};
  const char *separator = "\ncaches  ";
  for (size_t i = 0; i < sizeof caches / sizeof caches[0]; i++) {
    if (caches[i].bytes == 0) continue;
    nu_text_addf(out, "%s%s ", separator, caches[i].name);
    nu_text_add_bytes(out, caches[i].bytes);
    separator = ", ";
  }
  nu_text_add(out, "\n");
}

/* ---- distances */

static void draw_matrix(const struct hwloc_distances_s *d, nu_text *out) {
  nu_text_add(out, "\ndistances from a node's cores to a node's memory\n      ");
  for (unsigned i = 0; i < d->nbobjs; i++) nu_text_addf(out, " %5u", d->objs[i]->os_index);
  nu_text_add(out, "\n");
  for (unsigned i = 0; i < d->nbobjs; i++) {
    nu_text_addf(out, "  %4u", d->objs[i]->os_index);
    for (unsigned j = 0; j < d->nbobjs; j++)
      nu_text_addf(out, " %5" PRIu64, d->values[i * d->nbobjs + j]);
    nu_text_add(out, "\n");
  }
}

static void draw_distances(const nu_view *v, nu_text *out) {
  struct hwloc_distances_s *distances = NULL;
  unsigned n = 1;
  if (hwloc_distances_get_by_type(v->topology, HWLOC_OBJ_NUMANODE, &n, &distances,
                                  HWLOC_DISTANCES_KIND_MEANS_LATENCY, 0) != 0 ||
      n == 0)
    return;
  if (distances->nbobjs > 1) draw_matrix(distances, out);
  hwloc_distances_release(v->topology, distances);
}

/* ---- limits */

static void draw_limit(const nu_machine *machine, const char *name, double cores, nu_text *out) {
  bool sets = strcmp(machine->limited_by, name) == 0;
  nu_text_addf(out, "  %-40s", name);
  if (cores > 0) nu_text_addf(out, "%g", cores);
  else nu_text_add(out, "none");
  nu_text_add(out, sets ? "   <- sets the thread limit\n" : "\n");
}

static void draw_memory(const char *name, size_t bytes, nu_text *out) {
  nu_text_addf(out, "  %-40s", name);
  if (bytes > 0) nu_text_add_bytes(out, bytes);
  else nu_text_add(out, "none");
  nu_text_add(out, "\n");
}

/* Where the OpenMP runtime is told to put threads. */
static void draw_variable(const char *name, nu_text *out) {
  const char *value = getenv(name);
  char excerpt[NU_EXCERPT];
  nu_text_addf(out, "  %-40s%s\n", name,
               value ? nu_excerpt(value, strlen(value), excerpt) : "not set");
}

static void draw_limits(const nu_machine *machine, nu_text *out) {
  nu_text_add(out, "\nlimits\n");
  draw_limit(machine, NU_BY_CORES, (double)machine->cores, out);
  draw_limit(machine, NU_BY_SIBLINGS, (double)machine->processing_units, out);
  draw_limit(machine, NU_BY_QUOTA, machine->quota, out);
  draw_limit(machine, machine->slurm_name ? machine->slurm_name : "Slurm",
             (double)machine->slurm_limit, out);
  draw_limit(machine, NU_BY_OMP, (double)machine->omp_limit, out);
  draw_limit(machine, NU_BY_OMP_MOST, (double)machine->omp_most, out);
  draw_variable("OMP_PROC_BIND", out);
  draw_variable("OMP_PLACES", out);
  draw_memory("memory of the NUMA nodes", machine->memory_bytes, out);
  draw_memory("cgroup memory limit", machine->memory_limit, out);
  nu_text_addf(out, "\nthreads  up to %zu\n", machine->threads_limit);
}

numann_status nu_view_draw(const nu_view *v, const nu_machine *machine, nu_text *out,
                           numann_error *err) {
  drawing d = {v, machine, out};
  draw_object(&d, hwloc_get_root_obj(v->topology), 0);
  nu_text_add(out, "(# may be used, . may not)\n");
  draw_caches(machine, out);
  draw_distances(v, out);
  draw_limits(machine, out);
  return out->failed ? nu_fail_memory(err, out->length, "the drawing") : NUMANN_OK;
}
