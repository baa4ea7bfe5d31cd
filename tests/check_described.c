/* Descriptions of machines that nobody vouches for: whatever stands in them, the caller gets a machine
 * or a message, within limits of time and memory. SPDX-License-Identifier: MIT */
#include <check.h>
#include <errno.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>

#include "base/text.h"
#include "machine/machine.h"

#include "fake_root.h"

/* Of an address sanitizer, whose shadow counts as memory. */
extern void __lsan_disable(void) __attribute__((weak));

enum { MOST_KIB = 320 << 10 };

/* ---- texts */

static void read_sound(nu_text *out) {
  const char *folder = getenv("srcdir");
  char path[1024], part[4096];
  snprintf(path, sizeof path, "%s/tests/topologies/cpuset.xml", folder ? folder : ".");
  FILE *file = fopen(path, "r");
  ck_assert_ptr_nonnull(file);
  for (size_t n; (n = fread(part, 1, sizeof part, file)) > 0;) nu_text_append(out, part, n);
  fclose(file);
}

static void repeat(nu_text *out, const char *part, size_t n) {
  while (n-- > 0) nu_text_add(out, part);
}

/* `from` in the sound file, once or wherever it stands, gives way to `to` and n times `more`. */
static void replace(nu_text *out, const char *from, const char *to, const char *more, size_t n,
                    bool once) {
  nu_text sound = {0};
  read_sound(&sound);
  const char *at = nu_text_view(&sound), *next;
  ck_assert_msg(strstr(at, from) != NULL, "%s", from);
  while ((next = strstr(at, from)) != NULL) {
    nu_text_append(out, at, (size_t)(next - at));
    nu_text_add(out, to);
    repeat(out, more, n);
    at = next + strlen(from);
    if (once) break;
  }
  nu_text_add(out, at);
  nu_text_clear(&sound);
}

/* Of every object, the value of an attribute; `value` NULL: without the attribute. */
static void set_attribute(nu_text *out, const char *name, const char *value) {
  char from[64];
  nu_text sound = {0};
  read_sound(&sound);
  snprintf(from, sizeof from, " %s=\"", name);
  const char *at = nu_text_view(&sound), *next;
  while ((next = strstr(at, from)) != NULL) {
    nu_text_append(out, at, (size_t)(next - at));
    if (value) nu_text_addf(out, "%s%s\"", from, value);
    at = strchr(next + strlen(from), '"') + 1;
  }
  nu_text_add(out, at);
  nu_text_clear(&sound);
}

/* ---- asking */

static numann_status ask(const char *topology, numann_error *err) {
  nu_machine_source source = {.topology = topology};
  nu_machine m;
  nu_text drawing = {0};
  numann_status status = nu_machine_draw_from(&m, &source, &drawing, err);
  ck_assert(status == NUMANN_OK || !m.processors);
  ck_assert(status != NUMANN_OK || (m.processors && m.cores > 0 && drawing.length > 0));
  if (status == NUMANN_OK) nu_machine_clear(&m);
  nu_text_clear(&drawing);
  return status;
}

static void assert_small(const char *what) {
  struct rusage used;
  ck_assert_int_eq(getrusage(RUSAGE_CHILDREN, &used), 0);
  if (!__lsan_disable)
    ck_assert_msg(used.ru_maxrss < MOST_KIB, "%s: %ld KiB", what, used.ru_maxrss);
  ck_assert_msg(waitpid(-1, NULL, WNOHANG) == -1 && errno == ECHILD, "%s: a process is left", what);
}

/* The file's machine, or a message with its name and what to do. */
static numann_status ask_file(const nu_text *text, const char *what, numann_error *err) {
  char root[FAKE_ROOT], path[FAKE_ROOT + 32];
  fake_root_make(root);
  fake_root_write(root, "strange.xml", nu_text_view(text));
  snprintf(path, sizeof path, "%s/strange.xml", root);
  numann_status status = ask(path, err);
  fake_root_remove(root);
  assert_small(what);
  if (status == NUMANN_OK) return status;
  ck_assert_msg(status == NUMANN_ERR_CONFIG, "%s: %d, %s", what, status, err->message);
  ck_assert_msg(strstr(err->message, "strange.xml") != NULL, "%s: %s", what, err->message);
  ck_assert_msg(strstr(err->message, "lstopo") || strstr(err->message, "describe a smaller"),
                "%s: %s", what, err->message);
  return status;
}

/* ---- files */

#define GROUP                                                                               \
  "<object type=\"Group\" os_index=\"1\" cpuset=\"0xff\" complete_cpuset=\"0xff\" nodeset=" \
  "\"0x3\" complete_nodeset=\"0x3\">"
#define EMPTY "<object type=\"Package\" os_index=\"9\" cpuset=\"0x1\"/>"

/* What crashed hwloc, or took a gigabyte, and its like. */
static const struct {
  const char *what, *from, *to, *more;
  size_t n;
} refused[] = {
    {"a processor of 4e9", "type=\"PU\" os_index=\"1\"", "type=\"PU\" os_index=\"4000000000\"", "",
     0},
    {"a processor of 2^31", "type=\"PU\" os_index=\"1\"", "type=\"PU\" os_index=\"2147483640\"", "",
     0},
    {"a negative processor", "type=\"PU\" os_index=\"1\"", "type=\"PU\" os_index=\"-1\"", "", 0},
    {"a node of 4e9", "type=\"NUMANode\" os_index=\"1\"",
     "type=\"NUMANode\" os_index=\"4000000000\"", "", 0},
    {"a negative node", "type=\"NUMANode\" os_index=\"1\"", "type=\"NUMANode\" os_index=\"-1\"", "",
     0},
    {"packages of nothing", "<object type=\"Package\"", "", EMPTY, 3000},
    {"groups in groups", "<object type=\"Package\"", "", GROUP, 20000},
};

START_TEST(strange_file_makes_no_machine) {
  nu_text text = {0};
  numann_error err;
  replace(&text, refused[_i].from, refused[_i].to, refused[_i].more, refused[_i].n, true);
  if (refused[_i].n > 0) nu_text_add(&text, "<object type=\"Package\"/>");
  ck_assert_msg(ask_file(&text, refused[_i].what, &err) == NUMANN_ERR_CONFIG, "%s: accepted",
                refused[_i].what);
  nu_text_clear(&text);
}
END_TEST

static const char *const attributes[] = {
    "cpuset",          "complete_cpuset", "allowed_cpuset", "nodeset", "complete_nodeset",
    "allowed_nodeset", "os_index",        "gp_index",       "type",    "local_memory",
    "cache_size",      "depth",           "cache_type",     "version"};

/* Absent, empty, endless, beyond the numbers there are, and none. */
START_TEST(every_attribute_may_be_anything) {
  static const char *const values[] = {"",
                                       "0",
                                       "0x0",
                                       "-1",
                                       "zzz",
                                       "0xf...f",
                                       "0xf...f,0xffffffff,0x0",
                                       "4294967295",
                                       "18446744073709551615",
                                       "99999999999999999999999",
                                       "PU",
                                       "NUMANode",
                                       "Machine",
                                       "Misc",
                                       ",,,,"};
  nu_text text = {0}, endless = {0};
  numann_error err;
  nu_text_add(&endless, "0xffffffff");
  repeat(&endless, ",0xffffffff", 2000);
  for (size_t i = 0; i < sizeof values / sizeof *values + 2; i++) {
    const char *value = i < sizeof values / sizeof *values ? values[i] : NULL;
    bool last = i == sizeof values / sizeof *values + 1;
    set_attribute(&text, attributes[_i], last ? nu_text_view(&endless) : value);
    ask_file(&text, attributes[_i], &err);
    nu_text_clear(&text);
  }
  nu_text_clear(&endless);
}
END_TEST

/* ---- words */

START_TEST(strange_words_make_no_machine) {
  static const struct {
    const char *start, *part;
    size_t n;
  } words[] = {{"", "group:1 ", 100000},
               {"core:1", " pu:1", 100000},
               {"", "(", 100000},
               {"", "[", 100000},
               {"pack:2 ", "[numa] ", 20000},
               {"", "9", 100000},
               {"pack:", "9", 1000},
               {"core:-1 pu:", "-", 1000},
               {"core:2(", "x", 100000},
               {"", "\xff", 1000},
               {"numa:2 core:2 pu:2(indexes=", "9*", 10000},
               {"pack:1024 numa:1 core:", "8 pu:1", 1}};
  numann_error err;
  nu_text text = {0};
  nu_text_add(&text, words[_i].start);
  repeat(&text, words[_i].part, words[_i].n);
  numann_status status = ask(nu_text_view(&text), &err);
  ck_assert_msg(status == NUMANN_ERR_CONFIG, "%s: %d, %s", words[_i].start, status, err.message);
  ck_assert_msg(strstr(err.message, "lstopo") || strstr(err.message, "describe a smaller"), "%s",
                err.message);
  ck_assert(nu_is_utf8(err.message));
  assert_small(words[_i].start);
  nu_text_clear(&text);
}
END_TEST

/* ---- the other process */

/* hwloc's time grows with the square of these. The limit is one of the caller's, for patience. */
START_TEST(reading_ends_with_its_time) {
  static const struct rlimit second = {1, 1};
  nu_text text = {0};
  numann_error err;
  replace(&text, "<object type=\"PU\"", "", "<object type=\"PU\" os_index=\"7\" cpuset=\"0x1\"/>",
          150000, true);
  ck_assert_int_eq(setrlimit(RLIMIT_CPU, &second), 0);
  ck_assert_int_eq(ask_file(&text, "many processors", &err), NUMANN_ERR_CONFIG);
  ck_assert_msg(strstr(err.message, "more time") != NULL, "%s", err.message);
  nu_text_clear(&text);
}
END_TEST

static volatile sig_atomic_t ended;

static void count_ended(int number) {
  (void)number;
  ended++;
}

START_TEST(only_a_description_starts_a_process) {
  struct sigaction action = {.sa_handler = count_ended};
  numann_error err;
  nu_machine m;
  sigaction(SIGCHLD, &action, NULL);
  ck_assert_int_eq(nu_machine_detect(&m, &err), NUMANN_OK);
  nu_machine_clear(&m);
  ck_assert_int_eq(ended, 0);
  ck_assert_int_eq(ask("core:2 pu:1", &err), NUMANN_OK);
  ck_assert_int_eq(ended, 1);
}
END_TEST

/* The system then keeps no ends of processes. */
START_TEST(ignored_children_do_not_matter) {
  numann_error err;
  signal(SIGCHLD, SIG_IGN);
  ck_assert_int_eq(ask("core:2 pu:1", &err), NUMANN_OK);
  ck_assert_int_eq(ask("pu:1 core:2", &err), NUMANN_ERR_CONFIG);
}
END_TEST

int main(void) {
  Suite *suite = suite_create("described");
  TCase *tests = tcase_create("described");
  tcase_set_timeout(tests, 120);
  suite_add_tcase(suite, tests);
  tcase_add_loop_test(tests, strange_file_makes_no_machine, 0, sizeof refused / sizeof *refused);
  tcase_add_loop_test(tests, every_attribute_may_be_anything, 0,
                      sizeof attributes / sizeof *attributes);
  tcase_add_loop_test(tests, strange_words_make_no_machine, 0, 12);
  tcase_add_test(tests, reading_ends_with_its_time);
  tcase_add_test(tests, only_a_description_starts_a_process);
  tcase_add_test(tests, ignored_children_do_not_matter);
  SRunner *runner = srunner_create(suite);
  srunner_run_all(runner, CK_NORMAL);
  int failed = srunner_ntests_failed(runner);
  srunner_free(runner);
  return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
