/* Model and checkpoint files inside numann. SPDX-License-Identifier: MIT
 *
 * model.safetensors holds the trained weights; checkpoints/ck-<step>.safetensors the whole state.
 * Both are one format, docs/files.md, written by the durable protocol of durable.h. */
#ifndef NU_CHECKPOINT_CHECKPOINT_H
#define NU_CHECKPOINT_CHECKPOINT_H

#include <stdbool.h>
#include <stdint.h>

#include "base/text.h"
#include "data/data.h"
#include "network/network.h"
#include "trainer/trainer.h"

/* What a file holds, for writing (borrowed) and after reading (owned). */
typedef struct nu_saved {
  numann_network *network; /* shapes, activations, loss and weights */
  nu_schema schema;
  char *config_text; /* YAML, NU_CONFIG_MODEL */
  uint64_t data_sum; /* nu_data_sum of the training rows; 0 = unknown */
  uint64_t numerics; /* after reading: the numerics version, and the numann, that wrote it */
  char version[32];
  bool has_state; /* a checkpoint: `state` holds the rest */
  nu_state state;
} nu_saved;

void nu_saved_clear(nu_saved *saved);

/* Write one file at `path`, durably, replacing what is there. With a state, the weights are the
 * state's and the network gives the shapes only. NUMANN_ERR_DIVERGED when a value is not finite
 * (nothing is written), NUMANN_ERR_IO with the reason when the disk refuses, NUMANN_ERR_DATA when a
 * name is not UTF-8. */
numann_status nu_saved_write(const char *path, const nu_saved *saved, numann_error *err);

/* Read and verify one file: limits, shapes, checksums, sense. Of a checkpoint, the network has the
 * state's current weights. */
numann_status nu_saved_read(nu_saved *out, const char *path, numann_error *err);

/* May a training go on from this checkpoint? Of the same numerics version, with what its own config
 * asks for; else NUMANN_ERR_MODEL. */
numann_status nu_saved_check_resume(const nu_saved *saved, const char *path, numann_error *err);

/* CRC-32 of the training rows as trained on, for the resume check. */
uint64_t nu_data_sum(const numann_data *data);
/* The same of any rows; 0 where there are none. */
uint64_t nu_rows_sum(const nu_schema *schema, const nu_rows *rows);

/* Write <folder>/ck-<step>.safetensors durably (the folder is made when missing, that around it is
 * not: it has been removed then), then remove all but the newest `keep` >= 1 up to this step, and
 * that of step `spared`, if there is one. */
numann_status nu_checkpoint_write(const char *folder, const nu_saved *saved, size_t keep,
                                  uint64_t spared, numann_error *err);
/* The same, the file by all ranks (together.h); NULL: by this process. */
typedef struct nu_writers nu_writers;
numann_status nu_checkpoint_write_by(nu_writers *writers, const char *folder, const nu_saved *saved,
                                     size_t keep, uint64_t spared, numann_error *err);
/* Remove the checkpoints of this step and of later ones, durably. */
numann_status nu_checkpoint_drop_from(const char *folder, uint64_t step, numann_error *err);

/* What a checkpoint is read for. */
typedef enum nu_read_for { NU_FOR_ANSWERS, NU_FOR_RESUME } nu_read_for;

/* The newest checkpoint of the folder that is valid for the purpose; every newer one that was
 * refused adds a line to `rejected` (may be NULL). *found false and NUMANN_OK: there is none at
 * all. NUMANN_ERR_MODEL: files are there, but none is valid (never start silently from the
 * beginning). */
numann_status nu_checkpoint_newest(nu_saved *out, bool *found, const char *folder,
                                   nu_read_for purpose, nu_text *rejected, numann_error *err);

/* Is this name of n bytes that of a checkpoint, ck-<step>.safetensors? */
bool nu_checkpoint_is_name(const char *name, size_t n);

/* What a run writes beside its checkpoints; any of them marks a folder as a run. */
#define NU_RUN_FILES 6
extern const char *const nu_run_files[NU_RUN_FILES];

/* The mark of a run that has diverged: a file of one line, what was found. It goes when training
 * goes on. Read: malloc'ed, NULL where the run has none. */
#define NU_DIVERGED "diverged.txt"
numann_status nu_diverged_write(const char *run, const char *what, numann_error *err);
numann_status nu_diverged_remove(const char *run, numann_error *err);
char *nu_diverged_read(const char *run);

/* The lock of a run folder: one writer at a time. NUMANN_ERR_CONFIG names the holder (host, pid),
 * or a file `lock` that no run has written. The lock ends with the process, however it ends; the
 * file stays, empty. Makes the folder when missing, and removes temporary files of killed writers
 * in it and in checkpoints/. */
#define NU_LOCK_HOLDER 200 /* bytes, more than a holder's name has */
typedef struct nu_run_lock {
  int fd;       /* -1: not taken */
  int folder;   /* descriptor of the folder */
  bool guarded; /* false: this file system has no locks, two runs would not see each other */
  bool named;   /* the file names us; false where it is a hard link that others have too */
  bool busy;    /* not taken, as another process has it */
  char before[NU_LOCK_HOLDER]; /* "process 7 on host b": who had it on another host, and did not
                                  give it back; "": nobody */
} nu_run_lock;
numann_status nu_run_lock_take(nu_run_lock *lock, const char *folder, numann_error *err);
void nu_run_lock_release(nu_run_lock *lock);

/* Does this path still lead to the folder that was locked? False when it was removed, renamed or
 * replaced. */
bool nu_run_lock_stands(const nu_run_lock *lock, const char *folder);

#endif
