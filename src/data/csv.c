/* CSV: bytes to records of fields. SPDX-License-Identifier: MIT */
#include "data/csv.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "data/array.h"

#define END_OF_FILE (-1)
#define NOTHING (-2)

static numann_status fail_here(const nu_csv *csv, numann_error *err, const char *message) {
  return nu_fail(err, NUMANN_ERR_DATA, "%s:%" PRIu64 ":%" PRIu64 ": %s", csv->in->name, csv->line,
                 csv->column, message);
}

/* The slow part of next: refills, and the bytes that need a second look. CRLF becomes LF. */
static numann_status next_special(nu_csv *csv, int *c, numann_error *err) {
  nu_input *in = csv->in;
  NU_TRY(nu_input_fill(in, 2, err));
  *c = END_OF_FILE;
  if (in->begin == in->end) return NUMANN_OK;
  *c = in->window[in->begin];
  if (*c == '\0') {
    return fail_here(csv, err,
                     "a NUL byte; a text file is expected (UTF-16 is not read: save it "
                     "as UTF-8)");
  }
  if (*c == '\r') {
    if (in->end - in->begin < 2 || in->window[in->begin + 1] != '\n') {
      return fail_here(csv, err, "a carriage return without line feed; lines end with LF or CRLF");
    }
    in->begin++;
    *c = '\n';
  }
  in->begin++;
  if (++csv->record_bytes > NU_LINE_MAX) {
    return fail_here(csv, err, "the line is longer than 16 MiB; is it a CSV file?");
  }
  return NUMANN_OK;
}

/* The next byte of content, '\n' for any line end, or END_OF_FILE. */
static inline numann_status next(nu_csv *csv, int *c, numann_error *err) {
  nu_input *in = csv->in;
  if (csv->held != NOTHING) {
    *c = csv->held;
    csv->held = NOTHING;
    csv->column++;
    return NUMANN_OK;
  }
  if (in->begin < in->end && in->window[in->begin] > '\r' && csv->record_bytes < NU_LINE_MAX) {
    *c = in->window[in->begin++];
    csv->record_bytes++;
  } else {
    NU_TRY(next_special(csv, c, err));
  }
  csv->column++;
  return NUMANN_OK;
}

/* Give back what next gave; never a line end that was counted. */
static void give_back(nu_csv *csv, int c) {
  csv->held = c;
  csv->column--;
}

static void count_line(nu_csv *csv) {
  csv->line++;
  csv->column = 1;
}

static bool is_blank(const nu_csv *csv, int c) {
  return c == ' ' || (c == '\t' && csv->separator != '\t');
}

/* The first byte after blanks. */
static numann_status skip_blanks(nu_csv *csv, int *c, numann_error *err) {
  do {
    NU_TRY(next(csv, c, err));
  } while (is_blank(csv, *c));
  return NUMANN_OK;
}

static numann_status reserve_text(nu_record *record, numann_error *err) {
  if (nu_grow(&record->text, &record->text_capacity, record->length + 1, 1)) return NUMANN_OK;
  return nu_fail_memory(err, record->length, "a line of a CSV file");
}

static numann_status append(nu_csv *csv, nu_record *record, nu_field *field, int c,
                            numann_error *err) {
  if (field->length == NU_FIELD_MAX) {
    return nu_fail(err, NUMANN_ERR_DATA,
                   "%s:%" PRIu64 ":%" PRIu64
                   ": the field is longer than 4 KiB; is a quote "
                   "missing?",
                   csv->in->name, field->line, field->column);
  }
  if (record->length == record->text_capacity) NU_TRY(reserve_text(record, err));
  record->text[record->length++] = (char)c;
  field->length++;
  return NUMANN_OK;
}

/* From after the opening quote to after the closing one. */
static numann_status read_quoted(nu_csv *csv, nu_record *record, nu_field *field,
                                 numann_error *err) {
  for (;;) {
    int c = END_OF_FILE;
    NU_TRY(next(csv, &c, err));
    if (c == END_OF_FILE) {
      return nu_fail(err, NUMANN_ERR_DATA,
                     "%s:%" PRIu64 ":%" PRIu64 ": the quote that begins here is never closed",
                     csv->in->name, field->line, field->column);
    }
    if (c == '\n') count_line(csv);
    if (c == '"') {
      NU_TRY(next(csv, &c, err));
      if (c != '"') {
        give_back(csv, c);
        return NUMANN_OK;
      }
    }
    NU_TRY(append(csv, record, field, c, err));
  }
}

static bool ends_field(const nu_csv *csv, int c) {
  return c == csv->separator || c == '\n' || c == END_OF_FILE ||
         (csv->separator == ' ' && c == '\t');
}

static numann_status read_unquoted(nu_csv *csv, nu_record *record, nu_field *field, int c,
                                   numann_error *err) {
  while (!ends_field(csv, c)) {
    NU_TRY(append(csv, record, field, c, err));
    NU_TRY(next(csv, &c, err));
  }
  give_back(csv, c);
  while (field->length && is_blank(csv, record->text[record->length - 1])) {
    record->length--;
    field->length--;
  }
  return NUMANN_OK;
}

/* Between two fields: *more says whether another follows in this record. */
static numann_status read_separator(nu_csv *csv, bool *more, numann_error *err) {
  int c = END_OF_FILE;
  uint64_t before = csv->column;
  NU_TRY(skip_blanks(csv, &c, err));
  if (csv->separator == ' ' && c != '\n' && c != END_OF_FILE && csv->column > before + 1) {
    give_back(csv, c);
    *more = true;
    return NUMANN_OK;
  }
  *more = c == csv->separator;
  if (*more || c == '\n' || c == END_OF_FILE) return NUMANN_OK;
  csv->column--;
  return fail_here(csv, err, "text after a closing quote; a separator or line end is expected");
}

static numann_status add_field(nu_csv *csv, nu_record *record, numann_error *err) {
  if (record->n == NU_COLUMNS_MAX) return fail_here(csv, err, "more than 1,048,576 columns");
  if (!nu_grow(&record->fields, &record->field_capacity, record->n + 1, sizeof(nu_field))) {
    return nu_fail_memory(err, record->n * sizeof(nu_field), "a line of a CSV file");
  }
  int c = END_OF_FILE;
  NU_TRY(skip_blanks(csv, &c, err));
  nu_field field = {record->length, 0, csv->line, csv->column - 1, c == '"'};
  if (field.quoted) NU_TRY(read_quoted(csv, record, &field, err));
  else NU_TRY(read_unquoted(csv, record, &field, c, err));
  record->fields[record->n++] = field;
  return NUMANN_OK;
}

static numann_status read_record(nu_csv *csv, nu_record *record, numann_error *err) {
  bool more = true;
  while (more) {
    NU_TRY(add_field(csv, record, err));
    NU_TRY(read_separator(csv, &more, err));
  }
  count_line(csv);
  return NUMANN_OK;
}

static bool is_empty(const nu_record *record) {
  return record->n == 1 && record->fields[0].length == 0 && !record->fields[0].quoted;
}

/* Empty lines may end a file, but not stand between rows. */
numann_status nu_csv_next(nu_csv *csv, nu_record *record, numann_error *err) {
  uint64_t empty_line = 0;
  NU_TRY(reserve_text(record, err));
  for (;;) {
    record->n = 0;
    record->length = 0;
    csv->record_bytes = 0;
    NU_TRY(nu_input_fill(csv->in, 1, err));
    if (csv->in->begin == csv->in->end) return NUMANN_OK;
    uint64_t line = csv->line;
    NU_TRY(read_record(csv, record, err));
    if (!is_empty(record)) break;
    if (empty_line == 0) empty_line = line;
  }
  if (empty_line == 0) return NUMANN_OK;
  return nu_fail(err, NUMANN_ERR_DATA,
                 "%s:%" PRIu64
                 ": an empty line before a row; remove such lines, for example with sed "
                 "'/^[[:space:]]*$/d' FILE",
                 csv->in->name, empty_line);
}

void nu_record_clear(nu_record *record) {
  free(record->text);
  free(record->fields);
  *record = (nu_record){0};
}

/* Number of fields of the line at *at, which moves behind the line. */
static size_t count_fields(const unsigned char **at, const unsigned char *end, char separator) {
  size_t separators = 0, words = 0;
  bool quoted = false, in_word = false;
  const unsigned char *p = *at;
  for (; p < end && (quoted || *p != '\n'); p++) {
    bool blank = !quoted && (*p == ' ' || *p == '\t' || *p == '\r');
    if (*p == '"') quoted = !quoted;
    separators += !quoted && *p == separator;
    words += !blank && !in_word;
    in_word = !blank;
  }
  *at = p < end ? p + 1 : end;
  return separator == ' ' ? words : separators + 1;
}

/* The first separator that cuts the first two lines into equally many fields; else the first that
 * cuts the first line, so that the message about the second one makes sense. */
static char find_separator(const unsigned char *begin, const unsigned char *end) {
  static const char candidates[] = "\t;, ";
  char fallback = '\0';
  for (const char *s = candidates; *s; s++) {
    const unsigned char *at = begin;
    size_t first = count_fields(&at, end, *s);
    if (first <= 1) continue;
    if (at == end || count_fields(&at, end, *s) == first) return *s;
    if (!fallback) fallback = *s;
  }
  return fallback ? fallback : ',';
}

nu_csv nu_csv_at_line(nu_input *in, char separator, uint64_t line) {
  return (nu_csv){.in = in, .separator = separator, .line = line, .column = 1, .held = NOTHING};
}

numann_status nu_csv_open(nu_csv *csv, nu_input *in, char separator, numann_error *err) {
  *csv = nu_csv_at_line(in, separator, 1);
  NU_TRY(nu_input_fill(in, NU_INPUT_WINDOW, err));
  const unsigned char *content = in->window + in->begin;
  if (in->end - in->begin >= 3 && memcmp(content, "\xEF\xBB\xBF", 3) == 0) {
    in->begin += 3; /* the byte order mark that some spreadsheets write */
  }
  if (!separator) csv->separator = find_separator(in->window + in->begin, in->window + in->end);
  return NUMANN_OK;
}
