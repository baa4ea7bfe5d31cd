/* SPDX-License-Identifier: MIT */
#include "cli/go_on.h"

#include <string.h>

#include "cli/command.h"
#include "config/expand.h"
#include "machine/comm_launch.h"

/* A word as a shell takes it: in single quotes where it holds anything special. */
static void add_word(nu_text *out, const char *word) {
  static const char plain[] =
      "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-./=,:+@%";
  bool quoted = word[0] == '\0' || word[strspn(word, plain)] != '\0';
  nu_text_add(out, quoted ? " '" : " ");
  for (const char *c = word; *c != '\0'; c++) {
    if (*c == '\'') nu_text_add(out, "'\\''");
    else nu_text_append(out, c, 1);
  }
  if (quoted) nu_text_add(out, "'");
}

/* Outside the job its variables are not set: what they held stands in the line. */
static void add_value(nu_text *out, const char *value) {
  nu_text expanded = {0}, written = {0};
  if (nu_expand("", value, strlen(value), &expanded, NULL) == NUMANN_OK)
    nu_expand_protect(nu_text_view(&expanded), &written);
  out->failed |= expanded.failed || written.failed;
  add_word(out, nu_text_view(&written));
  nu_text_clear(&expanded);
  nu_text_clear(&written);
}

void nu_add_resume_command(const nu_arguments *args, const char *folder, nu_text *out) {
  nu_text path = {0};
  nu_text_add(out, "numann train");
  add_word(out, args->operands[0]);
  for (size_t i = 0; i < args->n_sets; i++) {
    nu_text_add(out, " --set");
    add_value(out, args->sets[i]);
  }
  nu_text_add(out, " --out");
  nu_expand_protect(folder, &path);
  add_word(out, nu_text_view(&path));
  out->failed |= path.failed;
  nu_text_clear(&path);
  nu_text_add(out, nu_resumes_automatically(args) ? " --resume=auto" : " --resume");
}

/* With --overwrite the folder may still hold the earlier run, which --resume would continue. */
const char *nu_early_advice(const nu_arguments *args) {
  if (nu_given(args, NU_OPTION_QUIET) || nu_comm_read_launch().rank > 0) return NULL;
  bool same = nu_given(args, NU_OPTION_OVERWRITE) || nu_resumes_automatically(args);
  return same ? "run the same command again" : "run again with --resume";
}
