/* The gradient tree against its definition, with an addition that is neither associative nor
 * commutative. SPDX-License-Identifier: MIT */
#include <check.h>
#include <stdlib.h>

#include "plan/parts.h"
#include "plan/tree.h"

static uint64_t combine(uint64_t left, uint64_t right) { return left * 1000003 + right * 31 + 7; }

static uint64_t defined(unsigned level, size_t index, size_t grains) {
  if (level == 0) return index + 1;
  size_t right = 2 * index + 1;
  uint64_t left = defined(level - 1, 2 * index, grains);
  return right << (level - 1) < grains ? combine(left, defined(level - 1, right, grains)) : left;
}

static uint64_t root_defined(size_t grains) {
  unsigned level = 0;
  while ((size_t)1 << level < grains) level++;
  return defined(level, 0, grains);
}

static void merge_all(nu_tree *tree, uint64_t *slots, bool finish) {
  nu_merge merge;
  while (nu_tree_merge(tree, &merge))
    slots[merge.left] = combine(slots[merge.left], slots[merge.right]);
  while (finish && nu_tree_finish(tree, &merge)) {
    slots[merge.left] = combine(slots[merge.left], slots[merge.right]);
  }
}

/* Each of `owners` sums its interval, then the roots are joined in order. */
static uint64_t root_by_owners(size_t grains, size_t owners) {
  static uint64_t joined[64 * NU_TREE_DEPTH];
  nu_tree all = {.depth = 0};
  for (size_t o = 0; o < owners; o++) {
    uint64_t slots[NU_TREE_DEPTH];
    nu_range mine = nu_share(grains, owners, o);
    nu_tree part = {.depth = 0};
    for (size_t g = mine.begin; g < mine.end; g++) {
      slots[part.depth] = g + 1;
      nu_tree_push(&part, (nu_tree_node){0, g, part.depth});
      merge_all(&part, slots, false);
      ck_assert_uint_lt(part.depth, nu_tree_slots_bound(mine.end - mine.begin));
    }
    ck_assert_uint_le(part.depth, nu_tree_roots_bound(mine.end - mine.begin));
    for (size_t r = 0; r < part.depth; r++) {
      size_t slot = o * NU_TREE_DEPTH + r;
      joined[slot] = slots[part.nodes[r].slot];
      nu_tree_push(&all, (nu_tree_node){part.nodes[r].level, part.nodes[r].index, slot});
      merge_all(&all, joined, false);
    }
  }
  merge_all(&all, joined, true);
  return joined[0];
}

START_TEST(every_split_of_the_grains_gives_the_same_tree) {
  for (size_t grains = 1; grains <= 130; grains++) {
    for (size_t owners = 1; owners <= 33; owners++) {
      ck_assert_uint_eq(root_by_owners(grains, owners), root_defined(grains));
    }
  }
}
END_TEST

int main(void) {
  Suite *suite = suite_create("tree");
  TCase *tests = tcase_create("tree");
  tcase_set_timeout(tests, 60);
  tcase_add_test(tests, every_split_of_the_grains_gives_the_same_tree);
  suite_add_tcase(suite, tests);
  SRunner *runner = srunner_create(suite);
  srunner_run_all(runner, CK_NORMAL);
  int failed = srunner_ntests_failed(runner);
  srunner_free(runner);
  return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
