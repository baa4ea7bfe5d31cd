/* Loading a topology: of this machine, of a description, of a file. SPDX-License-Identifier: MIT */
#include "build_config.h"

#include "machine/view.h"

#include <ctype.h>
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/memory.h"
#include "machine/limits.h"
#include "machine/team.h"

/* As parallel.threads. hwloc's time grows with their squares: minutes for what a mistyped number
 * asks. */
#define MOST_PROCESSORS 4096
#define MOST_NODES 1024

/* What hwloc takes for a machine with 1024 hardware threads, four times over. */
#define HWLOC_ROOM ((size_t)16 << 20)

#define EXPECTED                                                                                 \
  "expected hwloc's words, such as 'pack:2 numa:2 core:8 pu:2' (man 7 hwloc), or the path of a " \
  ".xml file that `lstopo FILE.xml` wrote"
/* Said at the opening or at the loading: hwloc's readers of XML differ in when they look. */
#define NO_MACHINE "hwloc finds no whole machine in it"

/* ---- descriptions */

static numann_status fail_size(const char *topology, numann_error *err) {
  char excerpt[NU_EXCERPT];
  return nu_fail(err, NUMANN_ERR_CONFIG,
                 "topology: '%s' has more than %d hardware threads or %d NUMA nodes; describe a "
                 "smaller machine",
                 nu_excerpt(topology, strlen(topology), excerpt), MOST_PROCESSORS, MOST_NODES);
}

static bool is_file(const char *topology) {
  size_t n = strlen(topology);
  return n >= 4 && strcmp(topology + n - 4, ".xml") == 0;
}

/* The number of a level, "core:8" or "8". What is no number is for hwloc to refuse, as is 0. */
static uint64_t level_count(const char *level, size_t n) {
  const char *colon = memchr(level, ':', n);
  uint64_t count = strtoull(colon ? colon + 1 : level, NULL, 0);
  return count > 0 ? count : 1;
}

/* Length of the next item, brackets "[numa]" and "(size=1MB)" included. */
static size_t item_length(const char *text) {
  size_t n = strcspn(text, *text == '[' ? "]" : *text == '(' ? ")" : " ([");
  return n + (n == 0 || text[n] == ']' || text[n] == ')');
}

/* Levels multiply; brackets hang memory on every object of the level before them. */
static bool is_too_large(const char *text) {
  uint64_t product = 1;
  bool fits = true;
  while (*text != '\0' && fits) {
    size_t n = item_length(text);
    bool nodes = *text == '[' || tolower((unsigned char)*text) == 'n';
    if (!strchr("[( ", *text)) {
      uint64_t count = level_count(text, n);
      product = count > MOST_PROCESSORS ? count : product * count;
    }
    fits = product <= (nodes ? MOST_NODES : MOST_PROCESSORS);
    text += n;
  }
  return !fits;
}

static numann_status set_words(hwloc_topology_t topology, const char *words, numann_error *err) {
  if (is_too_large(words)) return fail_size(words, err);
  if (hwloc_topology_set_synthetic(topology, words) == 0) return NUMANN_OK;
  char excerpt[NU_EXCERPT];
  return nu_fail(err, NUMANN_ERR_CONFIG,
                 "topology: '%s' is no description that hwloc understands; " EXPECTED,
                 nu_excerpt(words, strlen(words), excerpt));
}

static numann_status fail_file(const char *path, const char *flaw, numann_error *err) {
  return nu_fail(err, NUMANN_ERR_CONFIG, "topology: %s: %s; " EXPECTED, path, flaw);
}

/* hwloc may be built to ask the network for what is no file. */
static numann_status set_file(hwloc_topology_t topology, const char *path, numann_error *err) {
  struct stat about;
  if (stat(path, &about) != 0) return fail_file(path, strerror(errno), err);
  if (!S_ISREG(about.st_mode)) return fail_file(path, "is no regular file", err);
  if (access(path, R_OK) != 0) return fail_file(path, strerror(errno), err);
  if (hwloc_topology_set_xml(topology, path) == 0) return NUMANN_OK;
  return fail_file(path, NO_MACHINE, err);
}

static numann_status set_source(hwloc_topology_t topology, const char *source, numann_error *err) {
  if (!source) return NUMANN_OK;
  return is_file(source) ? set_file(topology, source, err) : set_words(topology, source, err);
}

/* ---- loading */

static numann_status fail_set(numann_error *err) {
  return nu_fail_memory(err, sizeof(unsigned long), "a set of processors or nodes");
}

/* Do the numbers of all objects of a type, each only once, make up the set? */
static numann_status check_set(hwloc_topology_t topology, hwloc_obj_type_t type,
                               hwloc_const_bitmap_t set, const char *source, numann_error *err) {
  hwloc_bitmap_t seen = hwloc_bitmap_alloc();
  if (!seen) return fail_set(err);
  bool once = true;
  for (hwloc_obj_t object = NULL;
       once && (object = hwloc_get_next_obj_by_type(topology, type, object));) {
    once = object->cpuset && !hwloc_bitmap_isset(seen, object->os_index);
    once = once && hwloc_bitmap_set(seen, object->os_index) == 0;
  }
  bool all = once && hwloc_bitmap_isequal(seen, set);
  hwloc_bitmap_free(seen);
  if (all) return NUMANN_OK;
  return fail_file(source, "its sets of processors or NUMA nodes contradict it", err);
}

/* hwloc believes what a file says of its sets. */
static numann_status check_sets(hwloc_topology_t topology, const char *source, numann_error *err) {
  NU_TRY(
      check_set(topology, HWLOC_OBJ_PU, hwloc_topology_get_topology_cpuset(topology), source, err));
  return check_set(topology, HWLOC_OBJ_NUMANODE, hwloc_topology_get_topology_nodeset(topology),
                   source, err);
}

/* hwloc takes the real machine where it cannot make what it was told to. */
static numann_status check_loaded(hwloc_topology_t topology, const char *source,
                                  numann_error *err) {
  if (hwloc_topology_is_thissystem(topology))
    return fail_file(source, "hwloc took this machine in its place (is HWLOC_THISSYSTEM set?)",
                     err);
  if (hwloc_get_nbobjs_by_type(topology, HWLOC_OBJ_PU) > MOST_PROCESSORS ||
      hwloc_get_nbobjs_by_type(topology, HWLOC_OBJ_NUMANODE) > MOST_NODES)
    return fail_size(source, err);
  return check_sets(topology, source, err);
}

/* hwloc asks for the mask until it is told: it must not look at this machine then. Instead one with
 * as many cores, on which nothing is bound. */
static numann_status set_unseen(hwloc_topology_t topology, numann_error *err) {
  long pages = sysconf(_SC_PHYS_PAGES), page = sysconf(_SC_PAGESIZE);
  unsigned long long bytes = pages > 0 && page > 0 ? 1ull * (size_t)pages * (size_t)page : 0;
  size_t n = nu_team_processors();
  char words[96];
  snprintf(words, sizeof words, "numa:1(memory=%llu) core:%zu pu:1", bytes,
           n < MOST_PROCESSORS ? n : MOST_PROCESSORS);
  return set_words(topology, words, err);
}

static numann_status load_topology(hwloc_topology_t topology, const char *source,
                                   numann_error *err) {
  if (!source && !nu_team_knows_mask()) NU_TRY(set_unseen(topology, err));
  NU_TRY(set_source(topology, source, err));
  /* Devices are the slow part of a discovery, and nothing here is about devices. */
  hwloc_topology_set_io_types_filter(topology, HWLOC_TYPE_FILTER_KEEP_NONE);
  hwloc_topology_set_type_filter(topology, HWLOC_OBJ_MISC, HWLOC_TYPE_FILTER_KEEP_NONE);
  hwloc_topology_set_flags(topology, HWLOC_TOPOLOGY_FLAG_INCLUDE_DISALLOWED);
  bool loaded = hwloc_topology_load(topology) == 0;
  if (loaded) return source ? check_loaded(topology, source, err) : NUMANN_OK;
  if (source) return fail_file(source, NO_MACHINE, err);
  return nu_fail(err, NUMANN_ERR_MEMORY,
                 "machine: hwloc cannot load the topology; run lstopo to see what it says");
}

/* ---- what may be used */

/* The OpenMP runtime's places, where it has any, are the mask that the process was given: the
 * thread that asks is by then pinned to one of them. Unknown numbers are left out. */
static numann_status intersect_places(hwloc_bitmap_t usable, bool *found, numann_error *err) {
  size_t n = nu_team_places(NULL, 0);
  *found = false;
  if (n == 0) return NUMANN_OK;
  int *ids = nu_alloc(n, sizeof *ids);
  hwloc_bitmap_t places = hwloc_bitmap_alloc();
  bool ready = ids && places;
  size_t known = ready && nu_team_places(ids, n) <= n ? n : 0;
  for (size_t i = 0; i < known; i++)
    if (ids[i] >= 0) hwloc_bitmap_set(places, (unsigned)ids[i]);
  *found = ready && hwloc_bitmap_intersects(places, usable);
  if (*found) hwloc_bitmap_and(usable, usable, places);
  hwloc_bitmap_free(places);
  free(ids);
  return ready ? NUMANN_OK : fail_set(err);
}

static numann_status intersect_mask(hwloc_topology_t topology, hwloc_bitmap_t usable,
                                    numann_error *err) {
  hwloc_bitmap_t mask = hwloc_bitmap_alloc();
  if (!mask) return fail_set(err);
  if (hwloc_get_cpubind(topology, mask, HWLOC_CPUBIND_THREAD) == 0 &&
      hwloc_bitmap_intersects(mask, usable))
    hwloc_bitmap_and(usable, usable, mask);
  hwloc_bitmap_free(mask);
  return NUMANN_OK;
}

static numann_status find_usable(nu_view *v, numann_error *err) {
  v->usable = hwloc_bitmap_dup(hwloc_topology_get_allowed_cpuset(v->topology));
  if (!v->usable) return fail_set(err);
  hwloc_bitmap_and(v->usable, v->usable, hwloc_topology_get_topology_cpuset(v->topology));
  if (hwloc_bitmap_iszero(v->usable))
    hwloc_bitmap_copy(v->usable, hwloc_topology_get_topology_cpuset(v->topology));
  if (!hwloc_topology_is_thissystem(v->topology)) return NUMANN_OK;
  bool found;
  NU_TRY(intersect_places(v->usable, &found, err));
  return found ? NUMANN_OK : intersect_mask(v->topology, v->usable, err);
}

/* What the kernel says about the process goes for containers too, which hide their cpuset's files.
 * A fake root speaks for a described machine. */
static void intersect_kernels_nodes(nu_view *v, const char *root, hwloc_bitmap_t some) {
  char list[NU_NODE_LIST];
  if (!root || (root[0] == '\0' && !hwloc_topology_is_thissystem(v->topology))) return;
  if (!nu_limits_nodes(root, list) || hwloc_bitmap_list_sscanf(some, list) != 0) return;
  hwloc_bitmap_and(v->memory, v->memory, some);
}

/* numactl --membind: a page of ours would be refused elsewhere, or lie where it slows down others.
 */
static void intersect_policy(nu_view *v, hwloc_bitmap_t some) {
  hwloc_membind_policy_t policy;
  if (!hwloc_topology_is_thissystem(v->topology)) return;
  if (hwloc_get_membind(v->topology, some, &policy,
                        HWLOC_MEMBIND_THREAD | HWLOC_MEMBIND_BYNODESET) != 0)
    return;
  if (policy == HWLOC_MEMBIND_BIND && hwloc_bitmap_intersects(v->memory, some))
    hwloc_bitmap_and(v->memory, v->memory, some);
}

/* Where no node has a size (the words '[numa]' give none), sizes are untold. */
static void clear_empty_nodes(nu_view *v) {
  if (hwloc_get_root_obj(v->topology)->total_memory == 0) return;
  for (hwloc_obj_t node = NULL; (node = nu_view_next(v, HWLOC_OBJ_NUMANODE, node));)
    if (node->attr->numanode.local_memory == 0) hwloc_bitmap_clr(v->memory, node->os_index);
}

static numann_status find_memory(nu_view *v, const char *root, numann_error *err) {
  hwloc_bitmap_t some = hwloc_bitmap_alloc();
  v->memory = hwloc_bitmap_dup(hwloc_topology_get_allowed_nodeset(v->topology));
  if (!v->memory || !some) {
    hwloc_bitmap_free(some);
    return fail_set(err);
  }
  clear_empty_nodes(v);
  hwloc_bitmap_and(v->memory, v->memory, hwloc_topology_get_topology_nodeset(v->topology));
  intersect_kernels_nodes(v, root, some);
  intersect_policy(v, some);
  hwloc_bitmap_free(some);
  return NUMANN_OK;
}

/* ---- the view */

void nu_view_close(nu_view *v) {
  hwloc_bitmap_free(v->usable);
  hwloc_bitmap_free(v->memory);
  if (v->topology) hwloc_topology_destroy(v->topology);
}

/* hwloc uses what it was refused, which ends the process by a signal: what it may take must be
 * there before it starts. */
static numann_status check_room(numann_error *err) {
  void *room = malloc(HWLOC_ROOM);
  free(room);
  return room ? NUMANN_OK : nu_fail_memory(err, HWLOC_ROOM, "the topology of the machine");
}

numann_status nu_view_open(nu_view *v, const nu_machine_source *source, numann_error *err) {
  *v = (nu_view){.here = nu_team_processor()};
  NU_TRY(check_room(err));
  if (hwloc_topology_init(&v->topology) != 0) {
    v->topology = NULL;
    return nu_fail(err, NUMANN_ERR_MEMORY, "machine: hwloc cannot start (out of memory)");
  }
  NU_TRY(load_topology(v->topology, source->topology, err));
  NU_TRY(find_usable(v, err));
  return find_memory(v, source->root, err);
}

bool nu_view_may_use(const nu_view *v, hwloc_obj_t object) {
  return object->cpuset && hwloc_bitmap_intersects(object->cpuset, v->usable);
}

hwloc_obj_t nu_view_next(const nu_view *v, hwloc_obj_type_t type, hwloc_obj_t previous) {
  return hwloc_get_next_obj_by_type(v->topology, type, previous);
}

bool nu_view_has_own_cores(const nu_view *v, hwloc_obj_t node) {
  if (hwloc_bitmap_iszero(node->cpuset)) return false;
  for (hwloc_obj_t other = NULL; (other = nu_view_next(v, HWLOC_OBJ_NUMANODE, other));) {
    if (other == node || hwloc_bitmap_iszero(other->cpuset)) continue;
    bool same = hwloc_bitmap_isequal(other->cpuset, node->cpuset);
    if (same && other->logical_index < node->logical_index) return false;
    if (!same && hwloc_bitmap_isincluded(other->cpuset, node->cpuset)) return false;
  }
  return true;
}
