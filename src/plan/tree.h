/* The gradient tree: the one order in which the grains of a batch are summed.
 * SPDX-License-Identifier: MIT
 *
 * Node (level, i) covers grains [i 2^level, (i+1) 2^level) and is left + right, its children being
 * (level-1, 2i) and (level-1, 2i+1); where there is no right child it is the left one, unchanged.
 * Whoever owns the consecutive grains [a, b) can form the maximal complete subtrees inside them, at
 * most 2 log2(b - a) + 1 of them; joined in order with those of the neighbours they give the root.
 */
#ifndef NU_PLAN_TREE_H
#define NU_PLAN_TREE_H

#include <stdbool.h>
#include <stddef.h>

/* Enough for any interval of fewer than 2^32 grains. */
#define NU_TREE_DEPTH 66

/* A node that has been summed: its place in the tree and which slot holds it. */
typedef struct nu_tree_node {
  unsigned level;
  size_t index;
  size_t slot;
} nu_tree_node;

/* A stack of nodes, left to right, in slots 0, 1, 2 ... */
typedef struct nu_tree {
  nu_tree_node nodes[NU_TREE_DEPTH];
  size_t depth;
} nu_tree;

/* One addition: slot `left` += slot `right`. */
typedef struct nu_merge {
  size_t left, right;
} nu_merge;

/* The roots that grains [begin, end) leave: slot i has the i-th. */
void nu_tree_of(nu_tree *tree, size_t begin, size_t end);
/* Only as many nodes as there are: a stack has room for far more than a batch of one grain needs.
 */
void nu_tree_copy(nu_tree *to, const nu_tree *from);
/* Push the node right of all others. Then call nu_tree_merge until it gives false, adding as it
 * says. */
void nu_tree_push(nu_tree *tree, nu_tree_node node);
/* If the top two are children of one node: replace them by it, say what to add, true. */
bool nu_tree_merge(nu_tree *tree, nu_merge *merge);
/* Grain g, in slot tree->depth, and all merges that follow; of the `last` one of the batch, up to
 * its root. Gives the left slots, nearest first, and returns how many there are. */
size_t nu_tree_push_grain(nu_tree *tree, size_t g, bool last, size_t left[NU_TREE_DEPTH]);
/* At the end of the batch: fold what is left from the right, passing lone nodes up. */
bool nu_tree_finish(nu_tree *tree, nu_merge *merge);

/* At most so many subtree roots are left by any interval of `grains` grains, and at most so many
 * slots are in use while forming them. */
size_t nu_tree_roots_bound(size_t grains);
size_t nu_tree_slots_bound(size_t grains);

#endif
