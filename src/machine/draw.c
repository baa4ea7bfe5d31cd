/* The machine as a tree, and its limits. SPDX-License-Identifier: MIT */
#include "build_config.h"

#include <stdio.h>
#include <string.h>

#include "machine/limits.h"
#include "machine/view.h"

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

static size_t cores_below(const nu_view *v, hwloc_obj_t object) {
  int n = hwloc_get_nbobjs_inside_cpuset_by_type(v->topology, object->cpuset, HWLOC_OBJ_CORE);
  if (n <= 0) n = hwloc_get_nbobjs_inside_cpuset_by_type(v->topology, object->cpuset, HWLOC_OBJ_PU);
  return n > 0 ? (size_t)n : 0;
}

static hwloc_obj_t core_of(const nu_view *v, hwloc_obj_t object) {
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
static void draw_object(const nu_view *v, hwloc_obj_t object, size_t depth, nu_text *out) {
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
  draw_limit(machine, NU_BY_CORES, (double)machine->cores, out);
  draw_limit(machine, NU_BY_QUOTA, machine->quota, out);
  draw_limit(machine, NU_BY_OMP, (double)machine->omp_limit, out);
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
  nu_view v;
  numann_status status = nu_view_open(&v, source, err);
  if (status == NUMANN_OK) {
    draw_object(&v, hwloc_get_root_obj(v.topology), 0, out);
    nu_text_add(out, "(# may be used, . may not)\n");
    draw_caches(machine, out);
    draw_limits(machine, out);
  }
  nu_view_close(&v);
  if (status == NUMANN_OK && out->failed) return nu_fail_memory(err, out->length, "the drawing");
  return status;
}

numann_status nu_machine_draw(const nu_machine *machine, nu_text *out, numann_error *err) {
  static const nu_machine_source this_machine = {.topology = NULL, .root = ""};
  return nu_machine_draw_from(machine, &this_machine, out, err);
}
