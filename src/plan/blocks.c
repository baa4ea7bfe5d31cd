/* Blocks and chunk: how much stays in which cache. SPDX-License-Identifier: MIT */
#include "plan/cost.h"

/* Where hwloc knows no cache: what nearly every x86-64 server core has at least. */
#define USUAL_L1D (32u << 10)
#define USUAL_L2 (1u << 20)

/* Rows of the largest tile of (3.8), and floats of a weight row of a panel
 * (kernels/vector_avx512.h). */
#define TILE_ROWS 12
#define PANEL_BYTES (NU_PANEL * sizeof(float))

static size_t within(size_t least, size_t n, size_t most) {
  return n < least ? least : n > most ? most : n;
}

/* The shares were measured on Zen 4 (32 KiB, 1 MiB) with `numann bench step`, rows mnist, wide and
 * fullbatch: k 512, 8 panels, 96 rows, 48 inputs. */
nu_blocks nu_blocks_for(const nu_machine *machine) {
  size_t l1d = machine->l1d_bytes ? machine->l1d_bytes : USUAL_L1D;
  size_t l2 = machine->l2_bytes ? machine->l2_bytes : USUAL_L2;
  nu_blocks b;
  /* the activations of a tile take three quarters of the first level while the panels pass them */
  b.k = within(128, l1d * 3 / 4 / (TILE_ROWS * sizeof(float)) / NU_PANEL * NU_PANEL, 1024);
  /* a block of weights takes half of the second level while all rows pass it */
  b.panels = within(1, l2 / 2 / (b.k * PANEL_BYTES), 8);
  /* the results of a block of rows take a tenth of it until they get their activation */
  b.rows = within(2, l2 * 3 / 32 / (b.panels * PANEL_BYTES) / TILE_ROWS, 32) * TILE_ROWS;
  /* a region and three more on their way through the tree take three quarters of the first level */
  b.inputs = within(24, l1d * 3 / 4 / (4 * PANEL_BYTES) / 8 * 8, 96);
  /* what the panels of a far layer pass again and again takes most of the second level */
  b.packed = l2 / 8 * 5;
  return b;
}

/* Bytes of a row's inputs, activations and deltas in all layers. */
static size_t row_bytes(const numann_network *network) {
  size_t floats = nu_stride(network->layers[0].inputs);
  for (size_t l = 0; l < network->n_layers; l++)
    floats += 2 * nu_stride(network->layers[l].neurons);
  return floats * sizeof(float);
}

/* Where the rows of a batch do not fit the second-level cache, chunks of them that do, if the
 * gradient, which every chunk adds to, is less to carry than the rows were. A chunk is 2^n grains:
 * then the tree closes at its end, and one sum is carried on. */
size_t nu_chunk_for(const nu_plan *plan, const numann_network *network, const nu_machine *machine) {
  size_t cache = machine->l2_bytes ? machine->l2_bytes : USUAL_L2;
  size_t all = nu_plan_group_grains(plan, plan->problem.batch, 0).end;
  size_t grain_bytes = row_bytes(network) * plan->problem.grain, chunk = 1;
  while (2 * chunk * grain_bytes <= cache / 2) chunk *= 2;
  size_t carried = network->n_parameters * sizeof(float);
  bool pays = all * grain_bytes > cache && carried < chunk * grain_bytes / 2;
  return pays && chunk < all ? chunk : all;
}
