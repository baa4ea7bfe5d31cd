/* The report stage while a run goes on: numbers, the progress line, the metrics files.
 * SPDX-License-Identifier: MIT */
#include "build_config.h"

#include <check.h>
#include <fcntl.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "base/clock.h"
#include "report/format.h"
#include "report/progress_line.h"
#include "report/report.h"

/* ---- numbers and names */

typedef const char *(*format_one)(double, char[NU_REAL_TEXT]);

START_TEST(numbers_are_short_and_honest) {
  static const struct {
    format_one format;
    double value;
    const char *text;
  } cases[] = {{nu_format_value, 0.12341, "0.1234"},
               {nu_format_value, 0.012341, "0.01234"},
               {nu_format_value, 12.3456, "12.346"},
               {nu_format_value, 61324.21, "61324.2"},
               {nu_format_value, 1.234e9, "1.234e+09"},
               {nu_format_value, 4.5e-7, "4.500e-07"},
               {nu_format_value, 0, "0.0000"},
               {nu_format_value, -3.5, "-3.5000"},
               {nu_format_value, NAN, "-"},
               {nu_format_value, INFINITY, "-"},
               {nu_format_rate, 3.2, "3.2"},
               {nu_format_rate, 999.4, "999"},
               {nu_format_rate, 999.6, "1.00k"},
               {nu_format_rate, 61234, "61.2k"},
               {nu_format_rate, 2.5e6, "2.50M"},
               {nu_format_rate, 1e18, "1000000T"},
               {nu_format_clock, 0.4, "0:00"},
               {nu_format_clock, 59.6, "1:00"},
               {nu_format_clock, 3723, "1:02:03"},
               {nu_format_clock, 183845, "2d 03:04"},
               {nu_format_clock, NAN, "--:--"},
               {nu_format_clock, -1, "--:--"},
               {nu_format_duration, 4.217, "4.22 s"},
               {nu_format_duration, 59.97, "1 min 00 s"},
               {nu_format_duration, 7385, "2 h 03 min"},
               {nu_format_duration, 273600, "3 d 04 h"}};
  char buffer[NU_REAL_TEXT];
  for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
    ck_assert_str_eq(cases[i].format(cases[i].value, buffer), cases[i].text);
  ck_assert_str_eq(nu_format_share(0.97214, 2, buffer), "97.21 %");
  ck_assert_str_eq(nu_format_share(0.999999, 2, buffer), "99.99 %");
  ck_assert_str_eq(nu_format_share(0.99999, 1, buffer), "99.9 %");
  ck_assert_str_eq(nu_format_share(1.0, 1, buffer), "100.0 %");
}
END_TEST

START_TEST(names_fit_their_columns) {
  static const struct {
    const char *name;
    size_t columns;
    nu_align align;
    bool utf8;
    const char *text;
  } cases[] = {{"cat", 5, NU_LEFT, true, "cat  "},
               {"cat", 5, NU_RIGHT, true, "  cat"},
               {"crocodile", 5, NU_LEFT, true, "croc…"},
               {"crocodile", 5, NU_LEFT, false, "cro.."},
               {"crocodile", 1, NU_LEFT, true, "…"},
               {"crocodile", 2, NU_LEFT, false, "cr"},
               {"Zürich", 6, NU_LEFT, true, "Zürich"},
               {"Zürich", 6, NU_LEFT, false, "Z?rich"},
               {"日本語", 6, NU_LEFT, true, "日本語"},
               {"日本語", 4, NU_LEFT, true, "日… "},
               {"a\x1b[31mb", 7, NU_LEFT, true, "a\xef\xbf\xbd[31mb"},
               {"a\nb", 3, NU_LEFT, false, "a?b"},
               {"\xc2\x9b[m", 3, NU_LEFT, true, "\xef\xbf\xbd[m"},
               {"\xed\xa0\x80", 3, NU_LEFT, false, "???"},
               {"\xff\xc3", 2, NU_LEFT, false, "??"},
               {"", 2, NU_LEFT, true, "  "},
               {"abc", 0, NU_LEFT, true, ""}};
  for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
    nu_text out = {0};
    nu_text_fit(&out, cases[i].name, cases[i].columns, cases[i].align, cases[i].utf8);
    ck_assert_str_eq(nu_text_view(&out), cases[i].text);
    ck_assert_uint_eq(nu_text_columns(nu_text_view(&out)), cases[i].columns);
    nu_text_clear(&out);
  }
}
END_TEST

START_TEST(utf8_is_used_where_the_environment_asks) {
  static const struct {
    const char *all, *ctype, *lang;
    bool utf8;
  } cases[] = {{"", "", "", false},
               {"C", "", "de_DE.UTF-8", false},
               {"", "", "de_DE.UTF-8", true},
               {"C.utf8", "", "C", true},
               {"", "C", "en_US.UTF-8", false},
               {"", "", "de_DE.ISO-8859-1", false},
               {"", "fr_FR.utf-8@euro", "", true}};
  for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
    setenv("LC_ALL", cases[i].all, 1);
    setenv("LC_CTYPE", cases[i].ctype, 1);
    setenv("LANG", cases[i].lang, 1);
    ck_assert_int_eq(nu_utf8_wanted(), cases[i].utf8);
  }
}
END_TEST

/* ---- the line */

static const nu_line full_line = {.epoch = 7,
                                  .epochs = 30,
                                  .done = 0.25,
                                  .loss = 0.12345,
                                  .validation_loss = 0.2,
                                  .accuracy = 0.965,
                                  .rmse = NAN,
                                  .rate = 61234,
                                  .seconds = 75};

static const char *draw(nu_line_style style, nu_text *text) {
  text->length = 0;
  nu_line_draw(&full_line, style, text);
  return nu_text_view(text);
}

START_TEST(line_has_every_field_where_there_is_room) {
  nu_text text = {0};
  ck_assert_str_eq(draw((nu_line_style){.plain = true}, &text),
                   "epoch  7/30  loss 0.1235  val 0.2000  acc 96.5 %  61.2k samples/s  ETA 1:15");
  ck_assert_str_eq(
      draw((nu_line_style){.columns = 79}, &text),
      "epoch  7/30  [==......]  loss 0.1235  val 0.2000  acc 96.5 %  61.2k/s  ETA 1:15");
  ck_assert_str_eq(
      draw((nu_line_style){.columns = 200, .utf8 = true}, &text),
      "epoch  7/30  ━━━━━━━───────────────────────  loss 0.1235  val 0.2000  acc 96.5 %  "
      "61.2k/s  ETA 1:15");
  nu_text_clear(&text);
}
END_TEST

/* Columns of text with colours; every escape sequence must be complete. */
static size_t shown_columns(const char *text) {
  nu_text plain = {0};
  while (*text) {
    if (*text == '\x1b') {
      text += strcspn(text, "mK");
      ck_assert(*text != '\0');
      text++;
    } else {
      nu_text_append(&plain, text++, 1);
    }
  }
  size_t columns = nu_text_columns(nu_text_view(&plain));
  nu_text_clear(&plain);
  return columns;
}

START_TEST(line_never_exceeds_the_terminal) {
  nu_text text = {0};
  for (size_t columns = 0; columns < 120; columns++) {
    for (int kind = 0; kind < 4; kind++) {
      nu_line_style style = {.columns = columns, .utf8 = kind & 1, .colour = kind & 2};
      ck_assert_uint_le(shown_columns(draw(style, &text)), columns);
    }
  }
  nu_text_clear(&text);
}
END_TEST

START_TEST(line_drops_the_least_important_first) {
  static const char *const order[] = {"/s", "val", "[", "ETA", "acc", "loss"};
  nu_text text = {0};
  size_t missing = 0;
  for (size_t columns = 100; columns > 0; columns--) {
    const char *line = draw((nu_line_style){.columns = columns}, &text);
    size_t gone = 0;
    while (gone < 6 && !strstr(line, order[gone])) gone++;
    for (size_t i = gone; i < 6; i++) ck_assert_ptr_nonnull(strstr(line, order[i]));
    ck_assert_uint_ge(gone, missing);
    missing = gone;
  }
  ck_assert_uint_eq(missing, 6);
  nu_text_clear(&text);
}
END_TEST

START_TEST(remaining_time_counts_only_own_work) {
  ck_assert_double_eq(nu_line_remaining(10, 0, 1, 5), 40);
  ck_assert_double_eq(nu_line_remaining(10, 20, 21, 30), 90); /* resumed at epoch 20 */
  ck_assert_double_eq(nu_line_remaining(1, 0.25, 0.5, 1), 2); /* inside the first epoch */
  ck_assert_double_eq(nu_line_remaining(10, 0, 5, 5), 0);
  ck_assert(isnan(nu_line_remaining(10, 3, 3, 5)));
  ck_assert(isnan(nu_line_remaining(0, 0, 1, 5)));
  ck_assert(isnan(nu_line_remaining(0.01, 0, 0.001, 5))); /* too early to judge */
}
END_TEST

/* ---- progress on a terminal and on a pipe */

typedef struct terminal {
  int master;
  FILE *slave;
  nu_text seen;
} terminal;

static terminal open_terminal(unsigned short columns) {
  terminal t = {.master = posix_openpt(O_RDWR | O_NOCTTY)};
  ck_assert_int_ge(t.master, 0);
  ck_assert_int_eq(grantpt(t.master), 0);
  ck_assert_int_eq(unlockpt(t.master), 0);
  t.slave = fopen(ptsname(t.master), "r+");
  ck_assert_ptr_nonnull(t.slave);
  struct winsize size = {.ws_row = 24, .ws_col = columns};
  ck_assert_int_eq(ioctl(t.master, TIOCSWINSZ, &size), 0);
  ck_assert_int_eq(fcntl(t.master, F_SETFL, O_NONBLOCK), 0);
  return t;
}

/* Take what was written, before the terminal's buffer is full. */
static void take(terminal *t) {
  char bytes[4096];
  for (ssize_t n; (n = read(t->master, bytes, sizeof bytes)) > 0;)
    nu_text_append(&t->seen, bytes, (size_t)n);
}

static void close_terminal(terminal *t) {
  fclose(t->slave);
  close(t->master);
  nu_text_clear(&t->seen);
}

static size_t count(const char *text, const char *part) {
  size_t n = 0;
  for (const char *p = text; (p = strstr(p, part)); p += strlen(part)) n++;
  return n;
}

static numann_epoch epoch_of(uint64_t epoch, uint64_t epochs) {
  return (numann_epoch){.epoch = epoch,
                        .epochs = epochs,
                        .step = 40 * epoch,
                        .train_loss = 1.0 / (double)epoch,
                        .learning_rate = 0.001,
                        .validated = true,
                        .validation_loss = 1.5 / (double)epoch,
                        .validation_accuracy = 0.9,
                        .validation_rmse = NAN,
                        .seconds = 0.25,
                        .samples_per_s = 1000};
}

/* 3 epochs of 500 steps; what is seen is taken after each step. */
static void run_epochs(nu_progress *progress, terminal *t) {
  for (uint64_t e = 1; e <= 3; e++) {
    for (uint64_t b = 1; b <= 500; b++) {
      numann_progress at = {.epoch = e,
                            .epochs = 3,
                            .batch = b,
                            .batches = 500,
                            .rows = 32 * b,
                            .step = 500 * (e - 1) + b,
                            .train_loss = 0.5,
                            .learning_rate = 0.1};
      nu_progress_step(progress, &at);
      if (t) take(t);
    }
    numann_epoch epoch = epoch_of(e, 3);
    nu_progress_epoch(progress, &epoch);
    if (t) take(t);
  }
  nu_progress_end(progress);
  nu_progress_end(progress); /* the line is left already: nothing more */
  if (t) take(t);
}

START_TEST(terminal_shows_one_line_redrawn) {
  static const unsigned short widths[] = {200, 80, 40, 12, 2};
  setenv("TERM", "xterm", 1);
  setenv("LC_ALL", "C.UTF-8", 1);
  unsetenv("NO_COLOR");
  terminal t = open_terminal(widths[_i]);
  double start = nu_clock_seconds();
  nu_progress *progress = nu_progress_create(t.slave, false);
  run_epochs(progress, &t);
  double most = (nu_clock_seconds() - start) / 0.1 + 4; /* first, last, end and a rounded one */
  const char *text = nu_text_view(&t.seen);
  ck_assert_uint_eq(count(text, "\n"), 1);
  ck_assert_str_eq(text + strlen(text) - 5, "\x1b[K\r\n");
  ck_assert_uint_le(count(text, "\x1b[K"), (size_t)most);
  for (const char *p = text; *p == '\r' && p[1] != '\n';) {
    nu_text line = {0};
    size_t n = strcspn(++p, "\r");
    nu_text_append(&line, p, n);
    ck_assert_uint_lt(shown_columns(nu_text_view(&line)), widths[_i]);
    nu_text_clear(&line);
    p += n;
  }
  if (widths[_i] == 200) {
    ck_assert_ptr_nonnull(strstr(text, "epoch 3/3  \x1b[36m━"));
    ck_assert_ptr_nonnull(strstr(text, "acc 90.0 %"));
    ck_assert_ptr_nonnull(strstr(text, "time 0:0"));
  }
  nu_progress_destroy(progress);
  close_terminal(&t);
}
END_TEST

START_TEST(terminal_honours_no_color_and_ascii) {
  setenv("TERM", "xterm", 1);
  setenv("NO_COLOR", "1", 1);
  setenv("LC_ALL", "C", 1);
  terminal t = open_terminal(100);
  nu_progress *progress = nu_progress_create(t.slave, false);
  run_epochs(progress, &t);
  ck_assert_ptr_nonnull(strstr(nu_text_view(&t.seen), "epoch 3/3  [==="));
  ck_assert_uint_eq(count(nu_text_view(&t.seen), "\x1b"), count(nu_text_view(&t.seen), "\x1b[K"));
  nu_progress_destroy(progress);
  close_terminal(&t);
}
END_TEST

START_TEST(dumb_terminal_gets_plain_lines) {
  setenv("TERM", "dumb", 1);
  terminal t = open_terminal(80);
  nu_progress *progress = nu_progress_create(t.slave, false);
  run_epochs(progress, &t);
  ck_assert_ptr_null(strchr(nu_text_view(&t.seen), '\x1b'));
  ck_assert_uint_ge(count(nu_text_view(&t.seen), "\r\n"), 2);
  nu_progress_destroy(progress);
  close_terminal(&t);
}
END_TEST

/* What a run of `last` of `epochs` epochs writes where there is no terminal; to be freed. */
static char *plain_output(uint64_t last, uint64_t epochs, bool quiet, double *seconds) {
  char *text;
  size_t size;
  FILE *stream = open_memstream(&text, &size);
  nu_progress *progress = nu_progress_create(stream, quiet);
  double start = nu_clock_seconds();
  for (uint64_t e = 1; e <= last; e++) {
    numann_epoch epoch = epoch_of(e, epochs);
    nu_progress_epoch(progress, &epoch);
  }
  nu_progress_end(progress);
  nu_progress_end(progress);
  *seconds = nu_clock_seconds() - start;
  nu_progress_destroy(progress);
  fclose(stream);
  return text;
}

START_TEST(plain_lines_are_few_but_first_and_last) {
  static const struct {
    uint64_t last, epochs;
    const char *end;
  } cases[] = {{100, 100, "epoch 100/100  loss"},
               {63, 100, "epoch  63/100  loss"},
               {1, 1, "epoch 1/1  loss"}};
  for (size_t i = 0; i < 3; i++) {
    double seconds;
    char *text = plain_output(cases[i].last, cases[i].epochs, false, &seconds);
    size_t least = cases[i].last > 1 ? 2 : 1;
    ck_assert_uint_ge(count(text, "\n"), least);
    ck_assert_uint_le(count(text, "\n"), least + (size_t)(seconds / NU_PLAIN_SECONDS));
    ck_assert_int_eq(strncmp(text, "epoch ", 6), 0);
    ck_assert_ptr_nonnull(strstr(text, "1/1"));
    text[strlen(text) - 1] = '\0';
    const char *line = strrchr(text, '\n') ? strrchr(text, '\n') + 1 : text;
    ck_assert_int_eq(strncmp(line, cases[i].end, strlen(cases[i].end)), 0);
    ck_assert_ptr_nonnull(strstr(line, "time 0:"));
    free(text);
  }
}
END_TEST

START_TEST(the_last_line_needs_no_end) {
  char *text;
  size_t size;
  FILE *stream = open_memstream(&text, &size);
  nu_progress *progress = nu_progress_create(stream, false);
  for (uint64_t e = 1; e <= 2; e++) {
    numann_epoch epoch = epoch_of(e, 2);
    nu_progress_epoch(progress, &epoch);
  }
  ck_assert_uint_eq(count(text, "\n"), 2);
  nu_progress_destroy(progress);
  fclose(stream);
  free(text);
}
END_TEST

START_TEST(quiet_writes_nothing) {
  double seconds;
  char *text = plain_output(5, 5, true, &seconds);
  ck_assert_str_eq(text, "");
  free(text);
}
END_TEST

int main(void) {
  Suite *suite = suite_create("report");
  TCase *text = tcase_create("numbers and names"), *line = tcase_create("line");
  TCase *progress = tcase_create("progress");
  tcase_set_timeout(text, 60);
  tcase_add_test(text, numbers_are_short_and_honest);
  tcase_add_test(text, names_fit_their_columns);
  tcase_add_test(text, utf8_is_used_where_the_environment_asks);
  tcase_set_timeout(line, 60);
  tcase_add_test(line, line_has_every_field_where_there_is_room);
  tcase_add_test(line, line_never_exceeds_the_terminal);
  tcase_add_test(line, line_drops_the_least_important_first);
  tcase_add_test(line, remaining_time_counts_only_own_work);
  tcase_set_timeout(progress, 120);
  tcase_add_loop_test(progress, terminal_shows_one_line_redrawn, 0, 5);
  tcase_add_test(progress, terminal_honours_no_color_and_ascii);
  tcase_add_test(progress, dumb_terminal_gets_plain_lines);
  tcase_add_test(progress, plain_lines_are_few_but_first_and_last);
  tcase_add_test(progress, the_last_line_needs_no_end);
  tcase_add_test(progress, quiet_writes_nothing);
  suite_add_tcase(suite, text);
  suite_add_tcase(suite, line);
  suite_add_tcase(suite, progress);
  SRunner *runner = srunner_create(suite);
  srunner_run_all(runner, CK_NORMAL);
  int failed = srunner_ntests_failed(runner);
  srunner_free(runner);
  return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
