/* A model or checkpoint, changed on purpose, with right checksums all the same: for
 * hostile_models.sh. SPDX-License-Identifier: MIT
 *   edit_model FROM TO [EDIT ...]
 *     text KEY OLD NEW         in the metadata's text of this key, every OLD becomes NEW
 *     set KEY VALUE            the whole text
 *     number ARRAY I VALUE     one number of an array
 *     leave PREFIX             no array whose name begins so
 *     name OLD NEW             another name for the arrays whose name begins with OLD */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "base/text.h"
#include "checkpoint/safetensors.h"

/* A file in memory. */
typedef struct model {
  size_t n;
  nu_tensor *tensors; /* [n], with data of their own */
  json_t *metadata;
} model;

static numann_status read_model(model *out, const char *path, numann_error *err) {
  nu_tensor_file file;
  numann_status status = nu_tensor_file_open(&file, path, err);
  if (status != NUMANN_OK) return status;
  out->tensors = nu_alloc(file.n, sizeof *out->tensors);
  for (; status == NUMANN_OK && out->n < file.n; out->n++) {
    const nu_tensor_entry *entry = &file.entries[out->n];
    nu_tensor *tensor = &out->tensors[out->n];
    snprintf(tensor->name, sizeof tensor->name, "%s", entry->name);
    tensor->dtype = entry->dtype;
    tensor->rank = entry->rank;
    for (size_t i = 0; i < 2 && i < entry->rank; i++) tensor->shape[i] = (size_t)entry->shape[i];
    tensor->data = nu_alloc(nu_tensor_count(tensor), nu_dtype_size(tensor->dtype));
    status = nu_tensor_file_read(&file, out->n, tensor, err);
  }
  out->metadata = json_deep_copy(file.metadata);
  nu_tensor_file_close(&file);
  return status;
}

static bool set_text(model *m, char *const *words) {
  return json_object_set_new(m->metadata, words[0], json_string_nocheck(words[1])) == 0;
}

static bool replace_text(model *m, char *const *words) {
  const char *key = words[0], *from = words[1], *to = words[2];
  const char *text = json_string_value(json_object_get(m->metadata, key)), *next;
  nu_text out = {0};
  bool found = false;
  for (; text && (next = strstr(text, from)); text = next + strlen(from), found = true) {
    nu_text_append(&out, text, (size_t)(next - text));
    nu_text_add(&out, to);
  }
  nu_text_add(&out, text ? text : "");
  json_object_set_new(m->metadata, key, json_string_nocheck(nu_text_view(&out)));
  nu_text_clear(&out);
  return found;
}

static bool set_number(model *m, char *const *words) {
  size_t i = 0, at = strtoull(words[1], NULL, 10);
  while (i < m->n && strcmp(m->tensors[i].name, words[0]) != 0) i++;
  if (i == m->n || at >= nu_tensor_count(&m->tensors[i])) return false;
  double value = strtod(words[2], NULL);
  if (m->tensors[i].dtype == NU_F32) ((float *)m->tensors[i].data)[at] = (float)value;
  else ((double *)m->tensors[i].data)[at] = value;
  return true;
}

static bool has_prefix(const nu_tensor *tensor, const char *prefix) {
  return strncmp(tensor->name, prefix, strlen(prefix)) == 0;
}

static bool leave_arrays(model *m, char *const *words) {
  size_t kept = 0, n = m->n;
  for (size_t i = 0; i < n; i++) {
    if (has_prefix(&m->tensors[i], words[0])) free(m->tensors[i].data);
    else m->tensors[kept++] = m->tensors[i];
  }
  m->n = kept;
  return kept < n;
}

static bool name_arrays(model *m, char *const *words) {
  bool found = false;
  for (size_t i = 0; i < m->n; i++) {
    nu_tensor *tensor = &m->tensors[i];
    char rest[NU_TENSOR_NAME];
    if (!has_prefix(tensor, words[0])) continue;
    snprintf(rest, sizeof rest, "%s", tensor->name + strlen(words[0]));
    snprintf(tensor->name, sizeof tensor->name, "%.40s%.50s", words[1], rest);
    found = true;
  }
  return found;
}

static const struct {
  const char *name;
  int n_words;
  bool (*edit)(model *m, char *const *words);
} edits[] = {{"text", 3, replace_text},
             {"set", 2, set_text},
             {"number", 3, set_number},
             {"leave", 1, leave_arrays},
             {"name", 2, name_arrays}};
enum { EDITS = sizeof edits / sizeof *edits };

static bool edit(model *m, int n, char *const *words) {
  for (int at = 0; at < n;) {
    size_t e = 0;
    while (e < EDITS && strcmp(edits[e].name, words[at]) != 0) e++;
    if (e == EDITS || at + edits[e].n_words >= n || !edits[e].edit(m, words + at + 1)) {
      fprintf(stderr, "edit_model: %s changes nothing\n", words[at]);
      return false;
    }
    at += 1 + edits[e].n_words;
  }
  return true;
}

static void clear(model *m) {
  for (size_t i = 0; i < m->n; i++) free(m->tensors[i].data);
  free(m->tensors);
  json_decref(m->metadata);
}

int main(int argc, char **argv) {
  numann_error err = {NUMANN_ERR_CONFIG, "edit_model FROM TO [EDIT ...]"};
  model m = {0};
  numann_status status = argc > 2 ? read_model(&m, argv[1], &err) : err.status;
  bool done = status == NUMANN_OK && edit(&m, argc - 3, argv + 3);
  if (done) status = nu_tensors_write(argv[2], m.tensors, m.n, m.metadata, &err);
  if (status != NUMANN_OK) fprintf(stderr, "edit_model: %s\n", err.message);
  clear(&m);
  return done && status == NUMANN_OK ? EXIT_SUCCESS : EXIT_FAILURE;
}
