/* Reading a source: the format is recognised by the content. SPDX-License-Identifier: MIT */
#include <string.h>

#include "base/memory.h"
#include "data/array_rows.h"
#include "data/csv.h"
#include "data/input.h"

/* Formats that users may try, and what helps. */
static const struct {
  const char *magic;
  const char *what;
} foreign[] = {
    {"PK\x03\x04", "a zip archive (npz, xlsx); unpack it, or save as CSV or NPY"},
    {"\x89HDF", "an HDF5 file; save as CSV or NPY"},
    {"PAR1", "a Parquet file; save as CSV or NPY"},
    {"\xFD"
     "7zXZ",
     "xz data; unpack it, or pack it as gz"},
    {"BZh", "bzip2 data; unpack it, or pack it as gz"},
    {"\x28\xB5\x2F\xFD", "zstd data; unpack it, or pack it as gz"},
    {"\xFF\xFE", "UTF-16 text; save it as UTF-8"},
    {"\xFE\xFF", "UTF-16 text; save it as UTF-8"},
};

static numann_status refuse_foreign(nu_input *in, numann_error *err) {
  NU_TRY(nu_input_fill(in, 8, err));
  for (size_t i = 0; i < sizeof foreign / sizeof foreign[0]; i++) {
    size_t n = strlen(foreign[i].magic);
    if (in->end - in->begin < n) continue;
    if (memcmp(in->window + in->begin, foreign[i].magic, n) != 0) continue;
    return nu_fail(err, NUMANN_ERR_DATA, "%s@0: this is %s", in->name, foreign[i].what);
  }
  return NUMANN_OK;
}

static numann_status fail_empty(const nu_input *in, numann_error *err) {
  return nu_fail(err, NUMANN_ERR_DATA, "%s: empty; a file with data is expected", in->name);
}

static numann_status read_one(nu_table *out, nu_input *in, const nu_request *request,
                              numann_error *err) {
  if (in->end == in->begin) return nu_may_be_empty(request) ? NUMANN_OK : fail_empty(in, err);
  NU_TRY(refuse_foreign(in, err));
  if (nu_is_array(in)) return nu_array_read_table(out, in, request, err);
  return nu_csv_read(out, in, request, err);
}

static numann_status read_pair(nu_table *out, nu_input *inputs, const nu_request *request,
                               numann_error *err) {
  nu_input labels;
  NU_TRY(nu_input_open(&labels, request->source.labels_path, err));
  bool empty = inputs->end == inputs->begin || labels.end == labels.begin;
  numann_status status = empty ? fail_empty(labels.end == labels.begin ? &labels : inputs, err)
                               : nu_array_read_pair(out, inputs, &labels, request, err);
  nu_input_close(&labels);
  return status;
}

numann_status nu_table_read(nu_table *out, const nu_request *request, numann_error *err) {
  const nu_source *source = &request->source;
  bool paired = source->labels_path && source->with_targets;
  nu_input in;
  *out = (nu_table){0};
  NU_TRY(nu_input_open(&in, source->path, err));
  const char *name = paired ? source->labels_path : in.name;
  out->name = nu_copy_text(name, strlen(name));
  numann_status status;
  if (!out->name) status = nu_fail_memory(err, strlen(name), "a file name");
  else if (paired) status = read_pair(out, &in, request, err);
  else status = read_one(out, &in, request, err);
  nu_input_close(&in);
  if (status != NUMANN_OK) nu_table_clear(out);
  return status;
}
