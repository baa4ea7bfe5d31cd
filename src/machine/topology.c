/* What the machine has and what this process may use: the only file that uses hwloc.
 * SPDX-License-Identifier: MIT */
#include "build_config.h"

#include "machine/machine.h"

#include <hwloc.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "machine/limits.h"
#include "machine/team.h"

/* A loaded topology with the processors that may be used; processors of other jobs are in the
 * topology too, so that the drawing shows the whole machine. */
typedef struct view {
  hwloc_topology_t topology;
  hwloc_bitmap_t usable;
} view;

/* ---- loading */

static numann_status load_topology(hwloc_topology_t topology, const char *synthetic,
                                   numann_error *err) {
  if (synthetic != NULL && hwloc_topology_set_synthetic(topology, synthetic) != 0)
    return nu_fail(err, NUMANN_ERR_CONFIG,
                   "topology: '%s' is no synthetic description that hwloc understands; write it "
                   "like 'node:2 core:4 pu:2' (man 7 hwloc)",
                   synthetic);
  /* Devices are the slow part of a discovery, and nothing here is about devices. */
  hwloc_topology_set_io_types_filter(topology, HWLOC_TYPE_FILTER_KEEP_NONE);
  hwloc_topology_set_type_filter(topology, HWLOC_OBJ_MISC, HWLOC_TYPE_FILTER_KEEP_NONE);
  hwloc_topology_set_flags(topology, HWLOC_TOPOLOGY_FLAG_INCLUDE_DISALLOWED);
  if (hwloc_topology_load(topology) != 0)
    return nu_fail(err, NUMANN_ERR_MEMORY,
                   "machine: hwloc cannot load the topology; run lstopo to see what it says");
  return NUMANN_OK;
}

/* The OpenMP runtime's places, where it has any, are the mask that the process was given: the
 * thread that asks is by then pinned to one of them. Unknown numbers are left out. */
static bool intersect_places(hwloc_bitmap_t usable) {
  size_t n = nu_team_places(NULL, 0);
  int *ids = n > 0 ? malloc(n * sizeof *ids) : NULL;
  if (ids == NULL) return false;
  hwloc_bitmap_t places = hwloc_bitmap_alloc();
  size_t known = nu_team_places(ids, n) <= n ? n : 0;
  for (size_t i = 0; places != NULL && i < known; i++)
    if (ids[i] >= 0) hwloc_bitmap_set(places, (unsigned)ids[i]);
  bool found = places != NULL && hwloc_bitmap_intersects(places, usable);
  if (found) hwloc_bitmap_and(usable, usable, places);
  hwloc_bitmap_free(places);
  free(ids);
  return found;
}

static void intersect_mask(hwloc_topology_t topology, hwloc_bitmap_t usable) {
  hwloc_bitmap_t mask = hwloc_bitmap_alloc();
  if (mask != NULL && hwloc_get_cpubind(topology, mask, HWLOC_CPUBIND_THREAD) == 0 &&
      hwloc_bitmap_intersects(mask, usable))
    hwloc_bitmap_and(usable, usable, mask);
  hwloc_bitmap_free(mask);
}

static void view_close(view *v) {
  hwloc_bitmap_free(v->usable);
  if (v->topology != NULL) hwloc_topology_destroy(v->topology);
}

static numann_status view_open(view *v, const nu_machine_source *source, numann_error *err) {
  *v = (view){0};
  if (hwloc_topology_init(&v->topology) != 0) {
    v->topology = NULL;
    return nu_fail(err, NUMANN_ERR_MEMORY, "machine: hwloc cannot start (out of memory)");
  }
  NU_TRY(load_topology(v->topology, source->topology, err));
  v->usable = hwloc_bitmap_dup(hwloc_topology_get_allowed_cpuset(v->topology));
  if (v->usable == NULL) return nu_fail_memory(err, sizeof(unsigned long), "a processor set");
  if (hwloc_topology_is_thissystem(v->topology) && !intersect_places(v->usable))
    intersect_mask(v->topology, v->usable);
  return NUMANN_OK;
}

/* ---- counting */

static bool is_usable(const view *v, hwloc_obj_t object) {
  return object->cpuset != NULL && hwloc_bitmap_intersects(object->cpuset, v->usable);
}

static size_t count_usable(const view *v, hwloc_obj_type_t type) {
  size_t n = 0;
  hwloc_obj_t object = NULL;
  while ((object = hwloc_get_next_obj_by_type(v->topology, type, object)) != NULL)
    n += is_usable(v, object);
  return n;
}

/* Does the node stand for cores of its own? Memory that lies beside a node (HBM) has the same
 * processors as the node, memory that belongs to no core (CXL) those of several nodes. */
static bool has_own_cores(const view *v, hwloc_obj_t node) {
  hwloc_obj_t other = NULL;
  while ((other = hwloc_get_next_obj_by_type(v->topology, HWLOC_OBJ_NUMANODE, other)) != NULL) {
    if (other == node || hwloc_bitmap_iszero(other->cpuset)) continue;
    bool same = hwloc_bitmap_isequal(other->cpuset, node->cpuset);
    if (same && other->logical_index < node->logical_index) return false;
    if (!same && hwloc_bitmap_isincluded(other->cpuset, node->cpuset)) return false;
  }
  return true;
}

static void count_nodes(const view *v, nu_machine *machine) {
  hwloc_obj_t node = NULL;
  while ((node = hwloc_get_next_obj_by_type(v->topology, HWLOC_OBJ_NUMANODE, node)) != NULL) {
    if (!is_usable(v, node)) continue;
    machine->numa_nodes += has_own_cores(v, node);
    machine->memory_bytes += (size_t)node->attr->numanode.local_memory;
  }
}

static void measure_caches(const view *v, nu_machine *machine) {
  size_t *const bytes[] = {&machine->l1d_bytes, &machine->l2_bytes, &machine->l3_bytes};
  static const hwloc_obj_type_t types[] = {HWLOC_OBJ_L1CACHE, HWLOC_OBJ_L2CACHE, HWLOC_OBJ_L3CACHE};
  int first = hwloc_bitmap_first(v->usable);
  if (first < 0) return;
  hwloc_obj_t pu = hwloc_get_pu_obj_by_os_index(v->topology, (unsigned)first);
  for (size_t i = 0; pu != NULL && i < sizeof types / sizeof types[0]; i++) {
    hwloc_obj_t cache = hwloc_get_ancestor_obj_by_type(v->topology, types[i], pu);
    if (cache != NULL) *bytes[i] = (size_t)cache->attr->cache.size;
  }
}

static void copy_model(const view *v, nu_machine *machine) {
  hwloc_obj_t package = hwloc_get_obj_by_type(v->topology, HWLOC_OBJ_PACKAGE, 0);
  hwloc_obj_t root = hwloc_get_root_obj(v->topology);
  const char *model = package != NULL ? hwloc_obj_get_info_by_name(package, "CPUModel") : NULL;
  if (model == NULL) model = hwloc_obj_get_info_by_name(root, "CPUModel");
  if (model != NULL) snprintf(machine->model, sizeof machine->model, "%s", model);
}

static size_t at_least_one(size_t n) {
  return n > 0 ? n : 1;
}

static void count_machine(const view *v, nu_machine *machine) {
  machine->processing_units = at_least_one(count_usable(v, HWLOC_OBJ_PU));
  size_t cores = count_usable(v, HWLOC_OBJ_CORE);
  machine->cores = cores > 0 ? cores : machine->processing_units;
  machine->packages = at_least_one(count_usable(v, HWLOC_OBJ_PACKAGE));
  count_nodes(v, machine);
  machine->numa_nodes = at_least_one(machine->numa_nodes);
  measure_caches(v, machine);
  copy_model(v, machine);
}

/* ---- the thread limit */

#define BY_MASK "cores of the affinity mask"
#define BY_QUOTA "cgroup CPU quota"
#define BY_OMP "OMP_NUM_THREADS"

static size_t ceil_quota(double quota) {
  if (!(quota < 1e9)) return SIZE_MAX;
  size_t whole = (size_t)quota;
  return whole + (quota > (double)whole);
}

static void limit_threads(nu_machine *machine, size_t limit, const char *name) {
  if (limit == 0 || limit >= machine->threads_limit) return;
  machine->threads_limit = limit;
  snprintf(machine->limited_by, sizeof machine->limited_by, "%s", name);
}

static void apply_limits(nu_machine *machine, const char *root) {
  nu_limits limits = nu_limits_read(root);
  machine->quota = limits.quota;
  machine->memory_limit = limits.memory;
  machine->omp_limit = limits.omp;
  machine->threads_limit = SIZE_MAX;
  limit_threads(machine, machine->cores, BY_MASK);
  limit_threads(machine, ceil_quota(machine->quota), BY_QUOTA);
  limit_threads(machine, machine->omp_limit, BY_OMP);
}

numann_status nu_machine_detect_from(nu_machine *machine, const nu_machine_source *source,
                                     numann_error *err) {
  *machine = (nu_machine){0};
  view v;
  numann_status status = view_open(&v, source, err);
  if (status == NUMANN_OK) {
    count_machine(&v, machine);
    apply_limits(machine, source->root);
  }
  view_close(&v);
  return status;
}

static const nu_machine_source this_machine = {.topology = NULL, .root = ""};

numann_status nu_machine_detect(nu_machine *machine, numann_error *err) {
  return nu_machine_detect_from(machine, &this_machine, err);
}

const char *nu_machine_library(void) {
  return "hwloc " HWLOC_VERSION;
}

/* ---- drawing */

static void add_bytes(nu_text *out, size_t bytes) {
  static const char *const units[] = {"B", "KiB", "MiB", "GiB", "TiB"};
  double value = (double)bytes;
  size_t unit = 0;
  while (value >= 1024 && unit + 1 < sizeof units / sizeof units[0]) {
    value /= 1024;
    unit++;
  }
  bool whole = value == (double)(size_t)value || value >= 100;
  nu_text_addf(out, whole ? "%.0f %s" : "%.1f %s", value, units[unit]);
}

static void add_indent(nu_text *out, size_t depth) {
  nu_text_addf(out, "%*s", (int)(2 * depth), "");
}

static size_t cores_below(const view *v, hwloc_obj_t object) {
  int n = hwloc_get_nbobjs_inside_cpuset_by_type(v->topology, object->cpuset, HWLOC_OBJ_CORE);
  if (n <= 0) n = hwloc_get_nbobjs_inside_cpuset_by_type(v->topology, object->cpuset, HWLOC_OBJ_PU);
  return n > 0 ? (size_t)n : 0;
}

static hwloc_obj_t core_of(const view *v, hwloc_obj_t object) {
  hwloc_obj_t core =
      hwloc_get_obj_inside_cpuset_by_type(v->topology, object->cpuset, HWLOC_OBJ_CORE, 0);
  return core != NULL ? core : object;
}

static void add_processors(nu_text *out, hwloc_obj_t const *run, size_t n) {
  char list[256];
  hwloc_bitmap_t all = hwloc_bitmap_alloc();
  for (size_t i = 0; all != NULL && i < n; i++) hwloc_bitmap_or(all, all, run[i]->cpuset);
  if (all != NULL && hwloc_bitmap_list_snprintf(list, sizeof list, all) >= 0)
    nu_text_addf(out, "  processors %s", list);
  hwloc_bitmap_free(all);
}

/* A run of neighbours with one core each, on one line: a mark for each core. */
static void draw_cores(const view *v, hwloc_obj_t const *run, size_t n, size_t depth,
                       nu_text *out) {
  if (n == 0) return;
  unsigned first = core_of(v, run[0])->logical_index;
  unsigned last = core_of(v, run[n - 1])->logical_index;
  add_indent(out, depth);
  nu_text_addf(out, n == 1 ? "core %u  " : "cores %u-%u  ", first, last);
  for (size_t i = 0; i < n; i++) nu_text_add(out, is_usable(v, run[i]) ? "#" : ".");
  add_processors(out, run, n);
  nu_text_add(out, "\n");
}

static void draw_label(hwloc_obj_t object, size_t depth, nu_text *out) {
  char type[64];
  hwloc_obj_type_snprintf(type, sizeof type, object, 0);
  add_indent(out, depth);
  if (object->type == HWLOC_OBJ_NUMANODE)
    nu_text_addf(out, "NUMA node %u", object->os_index);
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
    add_bytes(out, bytes);
  }
  if (model != NULL) nu_text_addf(out, "  %s", model);
  nu_text_add(out, "\n");
}

/* The NUMA nodes that hang on an object. */
static void draw_nodes(hwloc_obj_t object, size_t depth, nu_text *out) {
  for (hwloc_obj_t node = object->memory_first_child; node != NULL; node = node->next_sibling) {
    if (node->type != HWLOC_OBJ_NUMANODE) continue;
    draw_label(node, depth, out);
    draw_details(node, out);
  }
}

/* A group has no name of its own: its NUMA node stands for it. hwloc's trees are a dozen levels
 * deep at most, which bounds the recursion. */
static void draw_object(const view *v, hwloc_obj_t object, size_t depth, nu_text *out) {
  bool named = object->type != HWLOC_OBJ_GROUP || object->memory_arity == 0;
  if (named) {
    draw_label(object, depth, out);
    draw_details(object, out);
  }
  draw_nodes(object, depth + named, out);
  size_t run = 0; /* children before i that wait to be drawn as one line of cores */
  for (size_t i = 0; i < object->arity; i++) {
    hwloc_obj_t child = object->children[i];
    if (cores_below(v, child) <= 1 && child->memory_arity == 0) {
      run++;
      continue;
    }
    draw_cores(v, object->children + i - run, run, depth + 1, out);
    run = 0;
    draw_object(v, child, depth + 1, out);
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
    add_bytes(out, caches[i].bytes);
    separator = ", ";
  }
  nu_text_add(out, "\n");
}

static void draw_limit(const nu_machine *machine, const char *name, double cores, nu_text *out) {
  bool sets = strcmp(machine->limited_by, name) == 0;
  nu_text_addf(out, "  %-28s", name);
  if (cores > 0)
    nu_text_addf(out, "%g", cores);
  else
    nu_text_add(out, "none");
  nu_text_add(out, sets ? "   <- sets the thread limit\n" : "\n");
}

static void draw_limits(const nu_machine *machine, nu_text *out) {
  nu_text_add(out, "\nlimits\n");
  draw_limit(machine, BY_MASK, (double)machine->cores, out);
  draw_limit(machine, BY_QUOTA, machine->quota, out);
  draw_limit(machine, BY_OMP, (double)machine->omp_limit, out);
  nu_text_addf(out, "  %-28s", "memory of the NUMA nodes");
  add_bytes(out, machine->memory_bytes);
  nu_text_addf(out, "\n  %-28s", "cgroup memory limit");
  if (machine->memory_limit > 0)
    add_bytes(out, machine->memory_limit);
  else
    nu_text_add(out, "none");
  nu_text_addf(out, "\n\nthreads  up to %zu\n", machine->threads_limit);
}

numann_status nu_machine_draw_from(const nu_machine *machine, const nu_machine_source *source,
                                   nu_text *out, numann_error *err) {
  view v;
  numann_status status = view_open(&v, source, err);
  if (status == NUMANN_OK) {
    draw_object(&v, hwloc_get_root_obj(v.topology), 0, out);
    nu_text_add(out, "(# may be used, . may not)\n");
    draw_caches(machine, out);
    draw_limits(machine, out);
  }
  view_close(&v);
  if (status == NUMANN_OK && out->failed) return nu_fail_memory(err, out->length, "the drawing");
  return status;
}

numann_status nu_machine_draw(const nu_machine *machine, nu_text *out, numann_error *err) {
  return nu_machine_draw_from(machine, &this_machine, out, err);
}
