/* One copy of the data for the ranks of a host: what is packed comes out again, whatever kind of data it
 * is, and nothing else is taken for it; ranks that are threads share what the first of their host has
 * read, or get copies, or fail together. SPDX-License-Identifier: MIT */
#include "build_config.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "checkpoint/checkpoint.h"
#include "data/pack.h"
#include "data/share.h"
#include "data/table.h"
#include "data_support.h"
#include "meeting.h"
#include "numann.h"

/* ---- all kinds of data */

static const float inputs[12] = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12};
static const float targets[4] = {1, 0, 0, 1};
static const int32_t labels[4] = {0, 2, 1, 2};
static const unsigned char pixels[24] = {0, 1,  2,  3, 4, 250, 6,  7, 8,  9,   10, 11,
                                         4, 13, 14, 1, 3, 17,  18, 9, 20, 255, 22, 23};
static const unsigned char answers[6] = {1, 0, 2, 1, 2, 0};

static const char *put_array(const char *name, size_t rank, const uint32_t *shape,
                             const unsigned char *elements, size_t n) {
  unsigned char file[256];
  return put_bytes(name, file, make_idx(file, 0x08, rank, shape, elements, n));
}

static numann_data *of_arrays(bool classes) {
  numann_data *data;
  numann_error err;
  numann_status status =
      numann_data_create(&data, 4, 3, inputs, classes ? 3 : 1, classes ? NULL : targets,
                         classes ? labels : NULL, &err);
  ck_assert_msg(status == NUMANN_OK, "%s", err.message);
  return data;
}

static numann_config *of_bytes(void) {
  const uint32_t shape[] = {6, 2, 2};
  const char *images = put_array("images", 3, shape, pixels, sizeof pixels);
  const char *given = put_array("answers", 1, shape, answers, sizeof answers);
  return make_config(3,
                     "train: {images: %s, labels: %s}, test: {images: %s, labels: %s}, scale: "
                     "standardize, targets: classes",
                     images, given, images, given);
}

static numann_config *of_classes(void) {
  return make_config(2,
                     "train: {path: %s, target: y}, validation: {fraction: 0.25}, test: {fraction: "
                     "0.125}, scale: min_max, blank: drop_row",
                     put_text("classes.csv",
                              "a,b,y\n1,2,no\n3,5,yes\n4,,no\n4,7,no\n5,9,yes\n"
                              "6,1,yes\n7,8,no\n2,2,yes\n9,4,no\n"));
}

static numann_config *of_numbers(void) {
  return make_config(
      2,
      "train: {path: %s, target: [u, v]}, validation: {path: %s}, scale: standardize, "
      "scale_targets: standardize, separator: ';'",
      put_text("numbers.csv", "a;u;v\n1;2;3\n3;5;7\n4;7;8\n5;9;1\n"),
      put_text("judge.csv", "a;u;v\n1;2;4\n3;5;8\n"));
}

static numann_config *of_a_list(void) {
  return make_config(1, "train: {path: %s, target: -1}, header: false",
                     put_text("list.csv", "1,2,3\n3,5,7\n4,7,8\n"));
}

static numann_config *(*const configs[])(void) = {of_bytes, of_classes, of_numbers, of_a_list};
enum { CONFIGS = sizeof configs / sizeof *configs, KINDS = CONFIGS + 2 };

static numann_data *make_kind(int kind) {
  if (kind >= CONFIGS) return of_arrays(kind == CONFIGS);
  numann_config *config = configs[kind]();
  numann_data *data = load(config);
  numann_config_destroy(config);
  nu_text_add(&data->notes, "a note\nand another one\n");
  return data;
}

/* ---- alike */

static void check_names(char *const *a, char *const *b, size_t n) {
  ck_assert_int_eq(!a, !b);
  for (size_t i = 0; a && i < n; i++) ck_assert_str_eq(a[i], b[i]);
}

static void check_numbers(const void *a, const void *b, size_t bytes) {
  ck_assert_int_eq(!a, !b);
  ck_assert(!a || memcmp(a, b, bytes) == 0);
}

static void check_scaling(const nu_scaling *a, const nu_scaling *b, size_t n) {
  check_numbers(a->shift, b->shift, n * sizeof(double));
  check_numbers(a->scale, b->scale, n * sizeof(double));
}

/* But for the rows' arrays. */
static void check_alike(const numann_data *a, const numann_data *b) {
  const nu_schema *s = &a->schema, *t = &b->schema;
  ck_assert_uint_eq(s->features, t->features);
  ck_assert_uint_eq(s->classes, t->classes);
  ck_assert_uint_eq(s->targets, t->targets);
  check_names(s->feature_names, t->feature_names, s->features);
  check_names(s->class_names, t->class_names, s->classes);
  check_names(s->target_names, t->target_names, nu_schema_target_columns(s));
  check_scaling(&s->inputs, &t->inputs, s->features);
  check_scaling(&s->outputs, &t->outputs, s->targets);
  check_scaling(&a->train.scaling, &b->train.scaling, s->features);
  check_scaling(&a->test.scaling, &b->test.scaling, s->features);
  ck_assert_uint_eq(a->train.rows, b->train.rows);
  ck_assert_uint_eq(a->validation.rows, b->validation.rows);
  ck_assert_uint_eq(a->test.rows, b->test.rows);
  ck_assert_uint_eq(a->rows_dropped, b->rows_dropped);
}

static void check_arrays(const nu_rows *a, const nu_rows *b, const nu_schema *schema) {
  nu_row_arrays x = nu_row_arrays_of(a, schema), y = nu_row_arrays_of(b, schema);
  for (size_t i = 0; i < NU_ROW_ARRAYS; i++) {
    ck_assert_uint_eq(x.bytes[i], y.bytes[i]);
    ck_assert_uint_eq((uintptr_t)y.at[i] % 64, 0);
    check_numbers(x.at[i], y.at[i], x.bytes[i]);
  }
}

/* ---- packing */

START_TEST(what_is_packed_comes_out) {
  numann_data *data = make_kind(_i), *other = NULL;
  nu_row_arrays arrays[NU_PARTS];
  nu_text packed = {0};
  numann_error err;
  nu_data_pack(data, &packed);
  numann_status status = nu_data_unpack(&other, arrays, packed.data, packed.length, &err);
  ck_assert_msg(status == NUMANN_OK, "%s", err.message);
  check_alike(data, other);
  ck_assert_str_eq(nu_text_view(&data->notes), nu_text_view(&other->notes));
  const nu_rows *parts[NU_PARTS] = {&data->train, &data->validation, &data->test};
  for (size_t p = 0; p < NU_PARTS; p++) {
    nu_row_arrays want = nu_row_arrays_of(parts[p], &data->schema);
    for (size_t i = 0; i < NU_ROW_ARRAYS; i++) {
      ck_assert_uint_eq(arrays[p].bytes[i], want.bytes[i]);
      ck_assert_ptr_null(arrays[p].at[i]);
    }
  }
  nu_text_clear(&packed);
  numann_data_destroy(other);
  numann_data_destroy(data);
}
END_TEST

static numann_status unpack(const char *bytes, size_t n) {
  numann_data *data;
  nu_row_arrays arrays[NU_PARTS];
  numann_status status = nu_data_unpack(&data, arrays, bytes, n, NULL);
  ck_assert_int_eq(status == NUMANN_OK, data != NULL);
  numann_data_destroy(data);
  return status;
}

/* Whoever reads a byte too far ends here. */
START_TEST(what_is_cut_is_refused) {
  numann_data *data = make_kind(_i);
  nu_text packed = {0};
  nu_data_pack(data, &packed);
  enum { HALF = 1 << 16 };
  ck_assert_uint_le(packed.length, HALF);
  char *memory = mmap(NULL, 2 * HALF, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  ck_assert(memory != MAP_FAILED);
  ck_assert_int_eq(mprotect(memory + HALF, HALF, PROT_NONE), 0);
  for (size_t n = 0; n < packed.length; n++) {
    memcpy(memory + HALF - n, packed.data, n);
    ck_assert_int_eq(unpack(memory + HALF - n, n), NUMANN_ERR_PEER);
  }
  munmap(memory, 2 * HALF);
  nu_text_append(&packed, "", 1);
  ck_assert_int_eq(unpack(packed.data, packed.length), NUMANN_ERR_PEER);
  nu_text_clear(&packed);
  numann_data_destroy(data);
}
END_TEST

/* Any eight bytes may be a count: of much, or of more than there can be. The first are one; others may
 * be numbers. */
START_TEST(counts_are_not_believed) {
  static const uint64_t odd[] = {UINT64_MAX, UINT64_MAX / 8 + 1, 1ull << 40, 1ull << 62};
  numann_data *data = make_kind(_i);
  nu_text packed = {0};
  nu_data_pack(data, &packed);
  for (size_t at = 0; at + 8 <= packed.length; at++) {
    for (size_t i = 0; i < sizeof odd / sizeof *odd; i++) {
      uint64_t kept;
      memcpy(&kept, packed.data + at, sizeof kept);
      memcpy(packed.data + at, &odd[i], sizeof kept);
      numann_status status = unpack(packed.data, packed.length);
      ck_assert(status == NUMANN_ERR_PEER || (status == NUMANN_OK && at > 0));
      memcpy(packed.data + at, &kept, sizeof kept);
    }
  }
  nu_text_clear(&packed);
  numann_data_destroy(data);
}
END_TEST

/* The last part's: its sizes stand before the two lengths of a scaling that it does not have. */
START_TEST(arrays_are_whole_rows) {
  numann_data *data = make_kind(CONFIGS);
  nu_text packed = {0};
  nu_data_pack(data, &packed);
  char *sizes =
      packed.data + packed.length - 2 * sizeof(uint64_t) - NU_ROW_ARRAYS * sizeof(uint64_t);
  for (size_t i = 0; i < NU_ROW_ARRAYS; i++) {
    ck_assert_int_eq(unpack(packed.data, packed.length), NUMANN_OK);
    sizes[i * sizeof(uint64_t)] ^= 4;
    ck_assert_int_eq(unpack(packed.data, packed.length), NUMANN_ERR_PEER);
    sizes[i * sizeof(uint64_t)] ^= 4;
  }
  nu_text_clear(&packed);
  numann_data_destroy(data);
}
END_TEST

/* ---- sharing */

enum { RANKS = 4 };
/* The first rank of each rank's host. */
static const size_t layouts[][RANKS] = {
    {0, 0, 0, 0}, {0, 0, 2, 2}, {0, 1, 0, 1}, {0, 1, 1, 0}, {0, 1, 2, 3}};
enum { LAYOUTS = sizeof layouts / sizeof *layouts };

typedef struct job {
  const size_t *firsts;
  bool refused; /* shared memory */
  numann_config *config, *missing;
  const numann_data *want;
  const void *at[RANKS]; /* where the ranks have their training rows */
} job;

static const void *training_rows(const numann_data *data) {
  return data->train.bytes ? (const void *)data->train.bytes : data->train.inputs;
}

static void be_rank(nu_comm *comm, void *arg) {
  job *j = arg;
  numann_data *data = NULL;
  numann_error err;
  comm->firsts = j->firsts;
  if (j->refused) comm->share = NULL;
  bool reads = j->firsts[comm->rank] == comm->rank;
  numann_status status = nu_data_load_once(&data, comm, reads ? j->config : j->missing, &err);
  ck_assert_msg(status == NUMANN_OK, "rank %zu: %s", comm->rank, err.message);
  check_alike(j->want, data);
  check_arrays(&j->want->train, &data->train, &data->schema);
  check_arrays(&j->want->validation, &data->validation, &data->schema);
  check_arrays(&j->want->test, &data->test, &data->schema);
  ck_assert_uint_eq(nu_data_sum(data), nu_data_sum(j->want));
  j->at[comm->rank] = training_rows(data);
  bool told = strstr(nu_text_view(&data->notes), "own copy of the data");
  bool alone = j->firsts == layouts[LAYOUTS - 1];
  ck_assert_int_eq(told, j->refused && !alone && comm->rank == 0);
  nu_comm_most(comm, 0);
  bool same = j->at[j->firsts[comm->rank]] == j->at[comm->rank];
  ck_assert_int_eq(same, reads || !j->refused);
  ck_assert_int_eq(data->train.shared, !j->refused);
  numann_data_destroy(data);
}

START_TEST(hosts_read_once) {
  job j = {.config = configs[_i](),
           .missing = make_config(1, "train: {path: nowhere.csv, target: y}")};
  numann_data *want = load(j.config);
  j.want = want;
  for (size_t l = 0; l < LAYOUTS; l++) {
    for (int refused = 0; refused < 2; refused++) {
      j.firsts = layouts[l];
      j.refused = refused;
      meet(RANKS, be_rank, &j);
    }
  }
  numann_data_destroy(want);
  numann_config_destroy(j.config);
  numann_config_destroy(j.missing);
}
END_TEST

static void fail_as_rank(nu_comm *comm, void *arg) {
  job *j = arg;
  numann_data *data = NULL;
  numann_error err;
  comm->firsts = j->firsts;
  numann_status status =
      nu_data_load_once(&data, comm, comm->rank == 0 ? j->config : j->missing, &err);
  ck_assert_int_eq(status, NUMANN_ERR_DATA);
  ck_assert_ptr_null(data);
  ck_assert_msg(strstr(err.message, "nowhere.csv: cannot be opened"), "%s", err.message);
  bool named = strncmp(err.message, "rank", 4) == 0;
  ck_assert_msg(named == (j->want != NULL), "%s", err.message);
  ck_assert_msg(!named || strncmp(err.message, "rank 2: ", 8) == 0, "%s", err.message);
}

START_TEST(an_error_of_one_host_is_all_ranks) {
  numann_config *config = of_classes(),
                *missing = make_config(1, "train: {path: nowhere.csv, target: y}");
  numann_data *want = load(config);
  meet(RANKS, fail_as_rank,
       &(job){.firsts = layouts[1], .config = config, .missing = missing, .want = want});
  meet(RANKS, fail_as_rank, &(job){.firsts = layouts[0], .config = missing, .missing = config});
  numann_data_destroy(want);
  numann_config_destroy(config);
  numann_config_destroy(missing);
}
END_TEST

/* Data and messages, and whoever comes later. */
static void share_twice(nu_comm *comm, void *arg) {
  void *first[RANKS], *second[RANKS], *third[RANKS];
  (void)arg;
  ck_assert(nu_comm_map(comm, 100, first));
  ck_assert(nu_comm_share(comm, 200, second));
  memset(first[comm->rank], (int)comm->rank + 1, 100);
  for (size_t i = 0; i < 200; i++) ck_assert_int_eq(((char *)second[comm->rank])[i], 0);
  memset(second[comm->rank], (int)comm->rank + 11, 200);
  nu_comm_unshare(comm, second);
  ck_assert(nu_comm_share(comm, 300, third));
  for (size_t r = 0; r < comm->size; r++) {
    for (size_t i = 0; i < 100; i++) ck_assert_int_eq(((char *)first[r])[i], (int)r + 1);
    for (size_t i = 0; i < 300; i++) ck_assert_int_eq(((char *)third[r])[i], 0);
  }
  nu_comm_unshare(comm, third);
  nu_comm_unshare(comm, first);
}

START_TEST(memory_is_shared_more_than_once) { meet(RANKS, share_twice, NULL); }
END_TEST

static Suite *share_suite(void) {
  Suite *suite = suite_create("share");
  TCase *tcase = tcase_create("share");
  tcase_set_timeout(tcase, 60);
  tcase_add_checked_fixture(tcase, make_folder, remove_folder);
  tcase_add_loop_test(tcase, what_is_packed_comes_out, 0, KINDS);
  tcase_add_loop_test(tcase, what_is_cut_is_refused, 0, KINDS);
  tcase_add_loop_test(tcase, counts_are_not_believed, 0, KINDS);
  tcase_add_test(tcase, arrays_are_whole_rows);
  tcase_add_loop_test(tcase, hosts_read_once, 0, CONFIGS);
  tcase_add_test(tcase, an_error_of_one_host_is_all_ranks);
  tcase_add_test(tcase, memory_is_shared_more_than_once);
  suite_add_tcase(suite, tcase);
  return suite;
}

int main(void) {
  SRunner *runner = srunner_create(share_suite());
  srunner_run_all(runner, CK_ENV);
  int failed = srunner_ntests_failed(runner);
  srunner_free(runner);
  return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
