/* A checkpoint that ranks write together, here the threads of one process.
 * SPDX-License-Identifier: MIT */
#include <check.h>
#include <dirent.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "checkpoint/durable.h"
#include "checkpoint/together.h"
#include "checkpoint_sample.h"
#include "meeting.h"

/* 82,000 parameters in four blocks: 20 pages of 64 KiB. */
static const size_t sizes[] = {100, 200, 300, 4};
static const size_t page = 65536;
static char *folder, *path;

static void set_up(void) {
  folder = sample_folder();
  path = sample_path(folder, "ck-1.safetensors");
}

static void tear_down(void) {
  free(path);
  sample_remove(folder);
}

/* What rank 0 writes of one state, and the others of another. */
typedef struct trial {
  uint64_t step, others;
  size_t wrong;    /* the rank that has a number which is not finite; 0: none */
  bool called;     /* rank 0 gets as far as calling the others */
  nu_writers left; /* what rank 0 has noted */
  numann_status status;
  numann_error err;
} trial;

static void take_part(nu_comm *comm, void *arg) {
  trial *t = arg;
  nu_saved saved = sample_create(SAMPLE_CHECKPOINT, 3, sizes, comm->rank ? t->others : t->step);
  if (t->wrong && comm->rank == t->wrong)
    saved.state.best[saved.state.n_parameters - 1] = (float)NAN;
  if (comm->rank) {
    nu_writers_help(comm, &saved);
  } else {
    t->left = (nu_writers){.comm = comm};
    if (t->called) t->status = nu_saved_write_together(&t->left, path, &saved, &t->err);
    nu_writers_dismiss(&t->left);
  }
  nu_saved_clear(&saved);
}

/* The file of one rank with the state of `step`. */
static unsigned char *write_alone(uint64_t step, size_t *size) {
  nu_saved saved = sample_create(SAMPLE_CHECKPOINT, 3, sizes, step);
  char *alone = sample_path(folder, "alone");
  ck_assert_int_eq(nu_saved_write(alone, &saved, NULL), NUMANN_OK);
  unsigned char *bytes = sample_read(alone, size);
  free(alone);
  nu_saved_clear(&saved);
  return bytes;
}

static void expect_no_temporary(void) {
  DIR *listing = opendir(folder);
  for (const struct dirent *entry; (entry = readdir(listing));)
    ck_assert_msg(nu_durable_final_length(entry->d_name) == 0, "%s is left", entry->d_name);
  closedir(listing);
}

static const size_t ranks[] = {2, 3, 5, 8, 64};
#define N_RANKS (sizeof ranks / sizeof *ranks)

START_TEST(the_bytes_are_those_of_one_rank) {
  trial t = {.step = 1, .others = 1, .called = true};
  meet(ranks[_i], take_part, &t);
  ck_assert_msg(t.status == NUMANN_OK, "%s", t.err.message);
  ck_assert(!t.left.alone && !t.left.called);
  size_t size, alone_size;
  unsigned char *bytes = sample_read(path, &size), *alone = write_alone(1, &alone_size);
  ck_assert_uint_eq(size, alone_size);
  ck_assert_mem_eq(bytes, alone, size);
  expect_no_temporary();
  free(bytes);
  free(alone);
}
END_TEST

/* Rank 0 has the header's pages, and no other rank writes into them. */
START_TEST(the_others_write_all_but_the_header) {
  trial t = {.step = 1, .others = 2, .called = true};
  meet(ranks[_i], take_part, &t);
  ck_assert_int_eq(t.status, NUMANN_OK);
  size_t size, size_1, size_2;
  unsigned char *bytes = sample_read(path, &size), *first = write_alone(1, &size_1);
  unsigned char *other = write_alone(2, &size_2);
  ck_assert(size == size_1 && size == size_2);
  uint64_t length;
  memcpy(&length, first, sizeof length);
  size_t header = 8 + (size_t)length; /* the sums in it are of both */
  ck_assert_uint_lt(header, page);
  ck_assert_mem_eq(bytes + header, first + header, page - header);
  ck_assert_mem_ne(bytes + page, first + page, size - page);
  ck_assert_mem_eq(bytes + page, other + page, size - page);
  free(bytes);
  free(first);
  free(other);
}
END_TEST

START_TEST(the_older_file_stays_when_a_rank_fails) {
  size_t rank = ranks[_i] - 1; /* the last bytes are its own */
  sample_write(path, "older", 5);
  trial t = {.step = 1, .others = 1, .wrong = rank, .called = true};
  meet(ranks[_i], take_part, &t);
  ck_assert_int_eq(t.status, NUMANN_ERR_DIVERGED);
  char want[32];
  snprintf(want, sizeof want, "rank %zu: ", rank);
  ck_assert_msg(strncmp(t.err.message, want, strlen(want)) == 0, "%s", t.err.message);
  size_t size;
  unsigned char *bytes = sample_read(path, &size);
  ck_assert(size == 5 && memcmp(bytes, "older", 5) == 0);
  expect_no_temporary();
  free(bytes);
}
END_TEST

START_TEST(who_is_not_called_goes_on) {
  trial t = {.step = 1, .others = 1};
  meet(3, take_part, &t);
  ck_assert(!sample_exists(folder, "ck-1.safetensors"));
}
END_TEST

/* Of two files of one name on two hosts, the one that rank 0 has made. */
START_TEST(another_file_of_the_name_is_not_joined) {
  static const char token[NU_DURABLE_TOKEN] = "this very file", other[] = "that other file";
  nu_durable file;
  numann_error err = {0};
  ck_assert_int_eq(nu_durable_join(&file, path, token, sizeof token, &err), NUMANN_ERR_IO);
  ck_assert_ptr_nonnull(strstr(err.message, "cannot be opened"));
  sample_write(path, other, sizeof other);
  ck_assert_int_eq(nu_durable_join(&file, path, token, sizeof token, &err), NUMANN_ERR_IO);
  ck_assert_ptr_nonnull(strstr(err.message, "another file"));
  sample_write(path, token, 8);
  ck_assert_int_eq(nu_durable_join(&file, path, token, sizeof token, &err), NUMANN_ERR_IO);
  sample_write(path, token, sizeof token);
  ck_assert_int_eq(nu_durable_join(&file, path, token, sizeof token, &err), NUMANN_OK);
  ck_assert_int_eq(nu_durable_put(&file, 5, "same", 4, &err), NUMANN_OK);
  ck_assert_int_eq(nu_durable_leave(&file, &err), NUMANN_OK);
  size_t size;
  unsigned char *bytes = sample_read(path, &size);
  ck_assert_uint_eq(size, sizeof token);
  ck_assert_mem_eq(bytes, "this same file", 14);
  free(bytes);
}
END_TEST

int main(void) {
  Suite *suite = suite_create("together");
  TCase *files = tcase_create("files");
  tcase_set_timeout(files, 60);
  tcase_add_checked_fixture(files, set_up, tear_down);
  tcase_add_loop_test(files, the_bytes_are_those_of_one_rank, 0, N_RANKS);
  tcase_add_loop_test(files, the_others_write_all_but_the_header, 0, N_RANKS);
  tcase_add_loop_test(files, the_older_file_stays_when_a_rank_fails, 0, 4);
  tcase_add_test(files, who_is_not_called_goes_on);
  tcase_add_test(files, another_file_of_the_name_is_not_joined);
  suite_add_tcase(suite, files);
  SRunner *runner = srunner_create(suite);
  srunner_run_all(runner, CK_ENV);
  int failed = srunner_ntests_failed(runner);
  srunner_free(runner);
  return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
