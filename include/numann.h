/* numann: trains dense neural networks on CPUs. Umbrella header; the order of includes is free.
 * SPDX-License-Identifier: MIT
 *
 * The flow, one header per stage:
 *   config -> data -> network -> plan -> trainer -> model
 * tests/xor.c trains, tests/answer.c asks a saved model: complete programs of under 60 lines. */
#ifndef NUMANN_H
#define NUMANN_H

#include <numann/config.h>
#include <numann/data.h>
#include <numann/model.h>
#include <numann/network.h>
#include <numann/plan.h>
#include <numann/status.h>
#include <numann/trainer.h>
#include <numann/version.h>

#endif
