/* Model: a trained network that answers rows as they stand in the user's file.
 * SPDX-License-Identifier: MIT
 *
 * A model is a network with what it must remember of its data: the scaling of inputs and outputs,
 * the names of columns and classes, and the config's text. It is immutable, so that any number of
 * threads may call any of these functions but numann_model_destroy on one model at once.
 *
 * Shapes: inputs [rows][numann_model_inputs], outputs [rows][numann_model_outputs], row-major.
 *
 * Files are safetensors, docs/files.md. A file is written under a temporary name, synchronised,
 * then renamed: after any crash the old file or the new one is there, whole. Contents depend on
 * config, seed and data only, never on threads, strategy or time.
 *
 * tests/answer.c is a complete program of under 60 lines. */
#ifndef NUMANN_MODEL_H
#define NUMANN_MODEL_H

#include <stddef.h>
#include <stdint.h>

#include <numann/config.h>
#include <numann/data.h>
#include <numann/network.h>
#include <numann/status.h>

typedef struct numann_model numann_model;

/* From memory, usually after a training: the network as it is now, with the names, classes and
 * scaling of the data that it was created for. Copies all that it needs: network, data and config
 * may be changed or destroyed after. Fails with NUMANN_ERR_MEMORY only. */
NUMANN_API numann_status numann_model_create(numann_model **out, const numann_network *network,
                                             const numann_data *data, const numann_config *config,
                                             numann_error *err);

/* From a file. `path` is a model, a checkpoint (its current weights), or the folder of a run: then
 * its model or, when the run has not ended, its newest valid checkpoint; numann_model_note tells.
 * NUMANN_ERR_MODEL with the byte offset for anything that is not as written or means nothing;
 * *out is NULL on failure. */
NUMANN_API numann_status numann_model_load(numann_model **out, const char *path, numann_error *err);

/* Write a model file, durably, replacing what is there. The same model gives the same bytes.
 * NUMANN_ERR_DIVERGED when a weight is not finite, NUMANN_ERR_DATA when a name is not UTF-8,
 * NUMANN_ERR_IO when the disk refuses; then an older file is intact. */
NUMANN_API numann_status numann_model_save(const numann_model *model, const char *path,
                                           numann_error *err);

NUMANN_API void numann_model_destroy(numann_model *model); /* NULL is allowed */

/* What a user should know about the file that was loaded, such as "runs/digits: the run has not
 * ended; using its checkpoint of step 120", or that another numerics version wrote it: one line;
 * NULL when there is nothing. Valid until the model is destroyed. */
NUMANN_API const char *numann_model_note(const numann_model *model);

/* Updates done by a training that had not ended: the step of the checkpoint that was loaded. 0 for
 * a model file, and after numann_model_create. */
NUMANN_API uint64_t numann_model_step(const numann_model *model);

/* The network, its inputs and its answers in three lines, each with a final newline. Like snprintf:
 * writes at most `size` bytes, the last one a NUL (`text` may be NULL when size is 0), and returns
 * the length of the whole, without the NUL; 0 when memory was refused. */
NUMANN_API size_t numann_model_describe(const numann_model *model, char *text, size_t size);

/* Numbers in a row of inputs, and in a row of outputs: one probability for each class (also where a
 * network tells two classes apart by one neuron) or one number for each target. */
NUMANN_API size_t numann_model_inputs(const numann_model *model);
NUMANN_API size_t numann_model_outputs(const numann_model *model);
NUMANN_API size_t numann_model_classes(const numann_model *model); /* 0 for regression */

/* Names; valid until the model is destroyed. Inputs: i in [0, inputs), NULL when the data had no
 * header. Classes: i in [0, classes), never NULL: a class without a name is called by its index.
 * Targets: i in [0, outputs) for regression, or 0 for the column that holds the classes; NULL when
 * the data had no header. */
NUMANN_API const char *numann_model_input_name(const numann_model *model, size_t i);
NUMANN_API const char *numann_model_class_name(const numann_model *model, size_t i);
NUMANN_API const char *numann_model_target_name(const numann_model *model, size_t i);

/* Answer rows on up to `threads` threads (0: one). Inputs are raw, in the unit of the user's file:
 * each becomes a float and is then scaled, as those of a file are, so that the answers are those of
 * `numann predict` on a file of the same numbers, to the bit, for any number of threads. Outputs
 * are in the target's own unit. inputs and outputs belong to the caller and may not overlap.
 * NUMANN_ERR_DATA names row and column of an input that is not finite or that a float cannot hold,
 * NUMANN_ERR_DIVERGED those of an answer that is not finite, NUMANN_ERR_MEMORY when the machine
 * refuses; the outputs are undefined then. */
NUMANN_API numann_status numann_model_predict(const numann_model *model, size_t threads,
                                              size_t rows, const double *inputs, double *outputs,
                                              numann_error *err);

/* The same with floats; an output is that of numann_model_predict, rounded. */
NUMANN_API numann_status numann_model_predict_float(const numann_model *model, size_t threads,
                                                    size_t rows, const float *inputs,
                                                    float *outputs, numann_error *err);

/* The class that one row of outputs [classes] names: the largest, the first of equals. Of a model
 * with classes only. */
NUMANN_API size_t numann_model_answer(const numann_model *model, const double *outputs);

/* Borrowed, valid until the model is destroyed: the network, whose inputs are scaled ones, and the
 * config's YAML text, of which `parallel` and `checkpoint` are left out. */
NUMANN_API const numann_network *numann_model_network_view(const numann_model *model);
NUMANN_API const char *numann_model_config_view(const numann_model *model);

#endif
