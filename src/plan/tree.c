/* SPDX-License-Identifier: MIT */
#include "plan/tree.h"

#include <assert.h>
#include <string.h>

void nu_tree_copy(nu_tree *to, const nu_tree *from) {
  to->depth = from->depth;
  memcpy(to->nodes, from->nodes, from->depth * sizeof *to->nodes);
}

/* Largest first: as high as its first grain allows and its last one reaches. */
void nu_tree_of(nu_tree *tree, size_t begin, size_t end) {
  tree->depth = 0;
  for (size_t at = begin; at < end;) {
    unsigned level = 0;
    while (at % ((size_t)2 << level) == 0 && at + ((size_t)2 << level) <= end) level++;
    nu_tree_push(tree, (nu_tree_node){level, at >> level, tree->depth});
    at += (size_t)1 << level;
  }
}

void nu_tree_push(nu_tree *tree, nu_tree_node node) {
  assert(tree->depth < NU_TREE_DEPTH);
  tree->nodes[tree->depth++] = node;
}

/* The top node takes the place of its left neighbour, in the neighbour's slot. */
static void join(nu_tree *tree, nu_merge *merge, nu_tree_node parent) {
  nu_tree_node *left = &tree->nodes[tree->depth - 2];
  *merge = (nu_merge){left->slot, left[1].slot};
  *left = parent;
  tree->depth--;
}

bool nu_tree_merge(nu_tree *tree, nu_merge *merge) {
  if (tree->depth < 2) return false;
  nu_tree_node left = tree->nodes[tree->depth - 2], right = tree->nodes[tree->depth - 1];
  bool siblings = left.level == right.level && left.index % 2 == 0 && right.index == left.index + 1;
  if (siblings) join(tree, merge, (nu_tree_node){left.level + 1, left.index / 2, left.slot});
  return siblings;
}

bool nu_tree_finish(nu_tree *tree, nu_merge *merge) {
  if (tree->depth < 2) return false;
  nu_tree_node left = tree->nodes[tree->depth - 2];
  join(tree, merge, (nu_tree_node){left.level + 1, left.index / 2, left.slot});
  return true;
}

size_t nu_tree_push_grain(nu_tree *tree, size_t g, bool last, size_t left[NU_TREE_DEPTH]) {
  size_t n = 0;
  nu_merge merge;
  nu_tree_push(tree, (nu_tree_node){0, g, tree->depth});
  while (nu_tree_merge(tree, &merge)) left[n++] = merge.left;
  while (last && nu_tree_finish(tree, &merge)) left[n++] = merge.left;
  return n;
}

static size_t bit_length(size_t n) {
  size_t bits = 0;
  for (; n; n >>= 1) bits++;
  return bits;
}

size_t nu_tree_roots_bound(size_t grains) { return grains < 2 ? grains : 2 * bit_length(grains); }
size_t nu_tree_slots_bound(size_t grains) {
  return nu_tree_roots_bound(grains) + bit_length(grains) + 1;
}
