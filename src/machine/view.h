/* A topology as hwloc has loaded it, for topology.c and draw.c. SPDX-License-Identifier: MIT
 * These three are the only files that use hwloc; look.c calls them. */
#ifndef NU_MACHINE_VIEW_H
#define NU_MACHINE_VIEW_H

#include <hwloc.h>
#include <stdbool.h>

#include "machine/machine.h"

/* Processors and nodes that may not be used are in the topology too, so that the drawing shows the
 * whole machine. */
typedef struct nu_view {
  hwloc_topology_t topology;
  hwloc_bitmap_t usable; /* processors, by the system's numbers; never empty */
  hwloc_bitmap_t memory; /* NUMA nodes with memory that this process may use; may be empty */
  int here;              /* the processor that asked, before hwloc visited others; -1: unknown */
} nu_view;

/* To be closed after a failure, too. */
numann_status nu_view_open(nu_view *view, const nu_machine_source *source, numann_error *err);
void nu_view_close(nu_view *view);

/* The machine that it shows, limits included; cleared after a failure. */
numann_status nu_view_model(const nu_view *view, const nu_machine_source *source,
                            nu_machine *machine, numann_error *err);

/* It as a tree of text lines, as nu_machine_draw_from says. */
numann_status nu_view_draw(const nu_view *view, const nu_machine *machine, nu_text *out,
                           numann_error *err);

bool nu_view_may_use(const nu_view *view, hwloc_obj_t object);
/* The next object of a type, from NULL on; NULL at the end. */
hwloc_obj_t nu_view_next(const nu_view *view, hwloc_obj_type_t type, hwloc_obj_t previous);

/* Whether the node has cores of its own. Memory that lies beside a node (HBM) has the same
 * processors as the node, memory that belongs to no core (CXL) those of several nodes. */
bool nu_view_has_own_cores(const nu_view *view, hwloc_obj_t node);

#endif
