/* The file that keeps the rates of a host. SPDX-License-Identifier: MIT */
#include "build_config.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/file.h"
#include "base/json.h"
#include "base/memory.h"
#include "numann/version.h"
#include "plan/rates.h"

#define FORMAT 1
#define MOST_FILE 4096
#define MOST_AGE (30.0 * 86400) /* a machine changes: kernels, firmware, hosts of a virtual one */
#define CLOCK_SLACK 60.0        /* between hosts that share the folder */

/* ---- the rates, one row each */

#define FIELD(name, least, most) \
  { #name, offsetof(nu_rates, name), least, most }
const nu_rate_field nu_rate_fields[] = {FIELD(flops, 1e6, 1e14),
                                        FIELD(pairs, 0.1, 100),
                                        FIELD(activation, 1e-12, 1e-5),
                                        FIELD(barrier, 1e-10, 1e-2),
                                        FIELD(barrier_thread, 1e-10, 1e-2),
                                        FIELD(l2_bytes, 1e8, 1e13),
                                        FIELD(l3_bytes, 1e8, 1e13),
                                        FIELD(shared_bytes, 1e7, 1e11)};
const size_t nu_n_rate_fields = sizeof nu_rate_fields / sizeof *nu_rate_fields;

double nu_rate(const nu_rates *rates, const nu_rate_field *field) {
  double value;
  memcpy(&value, (const char *)rates + field->offset, sizeof value);
  return value;
}

const nu_rate_field *nu_rates_flaw(const nu_rates *rates) {
  for (size_t i = 0; i < nu_n_rate_fields; i++) {
    double value = nu_rate(rates, &nu_rate_fields[i]);
    if (!(value >= nu_rate_fields[i].least && value <= nu_rate_fields[i].most))
      return &nu_rate_fields[i];
  }
  return NULL;
}

/* ---- its place */

#define HOST_TEXT 65

static void host_name(char host[HOST_TEXT]) {
  if (gethostname(host, HOST_TEXT) != 0) host[0] = '\0';
  host[HOST_TEXT - 1] = '\0';
}

/* Letters and digits as they are, runs of anything else as one '-'. */
static void add_plain(nu_text *out, const char *text) {
  for (const char *p = text; *p; p++) {
    bool plain = (*p >= 'a' && *p <= 'z') || (*p >= 'A' && *p <= 'Z') || (*p >= '0' && *p <= '9') ||
                 *p == '.';
    if (plain) nu_text_append(out, p, 1);
    else if (out->length && out->data[out->length - 1] != '-') nu_text_append(out, "-", 1);
  }
}

/* As the XDG base directory specification says: relative ones do not count. */
static const char *cache_folder(const char **below) {
  const char *cache = getenv("XDG_CACHE_HOME"), *home = getenv("HOME");
  bool named = cache && cache[0] == '/';
  *below = named ? "/numann/" : "/.cache/numann/";
  return named ? cache : home && home[0] == '/' ? home : NULL;
}

numann_status nu_calibration_path(char **out, const nu_machine *machine, const char *isa,
                                  numann_error *err) {
  char host[HOST_TEXT];
  const char *below, *folder = cache_folder(&below);
  nu_text name = {0};
  *out = NULL;
  if (!folder) return NUMANN_OK;
  nu_text_add(&name, folder);
  nu_text_add(&name, below);
  host_name(host);
  nu_text_add(&name, "calibration-");
  add_plain(&name, host);
  nu_text_add(&name, "-");
  add_plain(&name, machine->model);
  nu_text_addf(&name, "-%zu-%s-%s.json", machine->threads_limit, isa, numann_version());
  if (!name.failed) {
    *out = name.data;
    return NUMANN_OK;
  }
  nu_text_clear(&name);
  return nu_fail_memory(err, MOST_FILE, "the calibration's path");
}

/* ---- what it is of */

/* Equal in the file and here, or the rates are not those of this machine. */
static json_t *identity_of(const nu_machine *machine, const char *isa) {
  char host[HOST_TEXT];
  host_name(host);
  return json_pack("{s:i, s:s, s:s, s:s, s:I, s:I, s:I, s:s}", "format", FORMAT, "numann",
                   numann_version(), "host", host, "processor", machine->model, "cores",
                   (json_int_t)machine->cores, "numa_nodes", (json_int_t)machine->numa_nodes,
                   "threads", (json_int_t)machine->threads_limit, "isa", isa);
}

/* The first key whose value differs, or NULL. */
static const char *foreign_key(const json_t *file, json_t *identity) {
  const char *key;
  json_t *value;
  json_object_foreach(identity, key, value) {
    if (!json_equal(json_object_get(file, key), value)) return key;
  }
  return NULL;
}

/* ---- reading */

static numann_status take_rates(nu_rates *rates, const json_t *file, const char *path,
                                numann_error *err) {
  nu_rates found = *rates;
  const json_t *all = json_object_get(file, "rates");
  for (size_t i = 0; i < nu_n_rate_fields; i++) {
    const nu_rate_field *field = &nu_rate_fields[i];
    double value = json_number_value(json_object_get(all, field->name));
    memcpy((char *)&found + field->offset, &value, sizeof value);
  }
  const nu_rate_field *flaw = nu_rates_flaw(&found);
  if (flaw)
    return nu_fail(err, NUMANN_ERR_DATA, "%s: rates.%s: expected a number from %g to %g", path,
                   flaw->name, flaw->least, flaw->most);
  *rates = found;
  return NUMANN_OK;
}

static numann_status check_file(double *age, const json_t *file, json_t *identity, const char *path,
                                numann_error *err) {
  if (!identity) return nu_fail_memory(err, MOST_FILE, "the calibration");
  const char *foreign = foreign_key(file, identity);
  if (foreign)
    return nu_fail(err, NUMANN_ERR_DATA, "%s: `%s` is not that of this machine and numann", path,
                   foreign);
  const json_t *measured = json_object_get(file, "measured_unix");
  *age = (double)time(NULL) - json_number_value(measured);
  if (json_is_number(measured) && *age >= -CLOCK_SLACK && *age <= MOST_AGE) return NUMANN_OK;
  return nu_fail(err, NUMANN_ERR_DATA, "%s: measured_unix: expected a time of the last 30 days",
                 path);
}

numann_status nu_calibration_read(nu_rates *rates, double *age, const char *path,
                                  const nu_machine *machine, numann_error *err) {
  char *text;
  size_t size;
  json_error_t flaw;
  if (access(path, R_OK) != 0) return nu_fail(err, NUMANN_ERR_IO, "%s: %s", path, strerror(errno));
  NU_TRY(nu_file_read(path, MOST_FILE, NUMANN_ERR_DATA, &text, &size, err));
  json_t *file = nu_json_load(text, size, &flaw);
  free(text);
  if (!file && !flaw.text[0]) return nu_fail_memory(err, size, path);
  if (!json_is_object(file)) {
    json_decref(file);
    return nu_fail(err, NUMANN_ERR_DATA, "%s: damaged: expected one JSON object", path);
  }
  json_t *identity = identity_of(machine, rates->isa);
  numann_status status = check_file(age, file, identity, path, err);
  if (status == NUMANN_OK) status = take_rates(rates, file, path, err);
  json_decref(identity);
  json_decref(file);
  return status;
}

/* ---- writing */

static bool add_file(nu_text *out, const nu_rates *rates, const nu_machine *machine) {
  char when[32] = "";
  time_t now = time(NULL);
  struct tm utc;
  json_t *file = identity_of(machine, rates->isa), *all = json_object();
  if (gmtime_r(&now, &utc)) strftime(when, sizeof when, "%Y-%m-%dT%H:%M:%SZ", &utc);
  bool good = true;
  for (size_t i = 0; i < nu_n_rate_fields && good; i++) {
    json_t *value = json_real(nu_rate(rates, &nu_rate_fields[i]));
    good = json_object_set_new(all, nu_rate_fields[i].name, value) == 0;
  }
  good = good && json_object_set_new(file, "measured", json_string(when)) == 0 &&
         json_object_set_new(file, "measured_unix", json_integer((json_int_t)now)) == 0 &&
         json_object_set(file, "rates", all) == 0 &&
         nu_json_dump(out, file, JSON_INDENT(2) | JSON_REAL_PRECISION(6));
  json_decref(all);
  json_decref(file);
  return good;
}

/* The folder and the one above it; whether they are there shows when the file is made. */
static void make_folders(const char *path) {
  char *folder = nu_path_folder(path), *above = folder ? nu_path_folder(folder) : NULL;
  if (above) mkdir(above, 0700);
  if (folder) mkdir(folder, 0700);
  free(above);
  free(folder);
}

static bool write_whole(int fd, const nu_text *text) {
  bool written = write(fd, text->data, text->length) == (ssize_t)text->length;
  written = written && write(fd, "\n", 1) == 1;
  return close(fd) == 0 && written;
}

/* Readers find the old file or the new one. Not synchronised with the disk: what a power cut leaves
 * is damaged at worst, and measured again. */
static bool replace(const char *path, const nu_text *text) {
  size_t room = strlen(path) + 8;
  char *temporary = malloc(room);
  if (!temporary) return false;
  snprintf(temporary, room, "%s.XXXXXX", path);
  int fd = mkstemp(temporary);
  bool done = fd >= 0 && write_whole(fd, text) && rename(temporary, path) == 0;
  int reason = errno;
  if (fd >= 0 && !done) unlink(temporary);
  free(temporary);
  errno = reason;
  return done;
}

numann_status nu_calibration_write(const nu_rates *rates, const char *path,
                                   const nu_machine *machine, numann_error *err) {
  nu_text text = {0};
  bool added = add_file(&text, rates, machine);
  if (added) make_folders(path);
  bool done = added && replace(path, &text);
  int reason = errno;
  nu_text_clear(&text);
  if (!added) return nu_fail_memory(err, MOST_FILE, "the calibration");
  return done ? NUMANN_OK : nu_fail(err, NUMANN_ERR_IO, "%s: %s", path, strerror(reason));
}
