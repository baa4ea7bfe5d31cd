/* SPDX-License-Identifier: MIT */
#include "build_config.h"

#include "machine/job.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/duration.h"
#include "base/number.h"

#define MOST_SECONDS 10 /* a controller that is busy answers later than that, or not at all */
#define ANSWER 8192     /* bytes of an answer that are read */
#define ID 64

extern char **environ;

/* ---- the environment */

/* Seconds since 1970 of a variable. */
static bool read_epoch(const char *name, double *seconds) {
  const char *text = getenv(name);
  uint64_t count;
  if (!text || !nu_parse_count(text, strlen(text), &count) || count == 0) return false;
  *seconds = (double)count;
  return true;
}

static bool from_environment(nu_job_time *out) {
  double start, end, now = (double)time(NULL);
  if (!read_epoch("SLURM_JOB_END_TIME", &end)) return false;
  bool whole = read_epoch("SLURM_JOB_START_TIME", &start) && start < end;
  out->left = end - now;
  out->length = whole ? end - start : out->left;
  return true;
}

/* ---- commands */

/* In a group of its own, with what it starts: a site's squeue may be a script around another. */
static bool spawn(pid_t *child, char *const argv[], const int ends[2]) {
  posix_spawn_file_actions_t files;
  posix_spawnattr_t group;
  if (posix_spawn_file_actions_init(&files) != 0) return false;
  if (posix_spawnattr_init(&group) != 0) {
    posix_spawn_file_actions_destroy(&files);
    return false;
  }
  bool ready =
      posix_spawn_file_actions_addopen(&files, STDIN_FILENO, "/dev/null", O_RDONLY, 0) == 0 &&
      posix_spawn_file_actions_adddup2(&files, ends[1], STDOUT_FILENO) == 0 &&
      posix_spawn_file_actions_addopen(&files, STDERR_FILENO, "/dev/null", O_WRONLY, 0) == 0;
  ready = ready && posix_spawnattr_setflags(&group, POSIX_SPAWN_SETPGROUP) == 0;
  bool started = ready && posix_spawnp(child, argv[0], &files, &group, argv, environ) == 0;
  posix_spawnattr_destroy(&group);
  posix_spawn_file_actions_destroy(&files);
  return started;
}

/* What comes until the other end is closed, or the time is over. */
static void read_answer(int pipe, char answer[ANSWER]) {
  double end = nu_clock_seconds() + MOST_SECONDS;
  size_t n = 0;
  for (double left = MOST_SECONDS; n < ANSWER - 1 && left > 0.0; left = end - nu_clock_seconds()) {
    struct pollfd ready = {.fd = pipe, .events = POLLIN};
    int polled = poll(&ready, 1, (int)(1000.0 * left) + 1);
    if (polled < 0 && errno != EINTR) break;
    ssize_t got = polled > 0 ? read(pipe, answer + n, ANSWER - 1 - n) : 0;
    if (polled > 0 && got <= 0) break;
    n += (size_t)got;
  }
  answer[n] = '\0';
}

/* The command itself, without a shell. */
static void ask(char *const argv[], char answer[ANSWER]) {
  int ends[2];
  pid_t child;
  answer[0] = '\0';
  if (pipe2(ends, O_CLOEXEC) != 0) return;
  bool started = spawn(&child, argv, ends);
  close(ends[1]);
  if (started) {
    read_answer(ends[0], answer);
    kill(-child, SIGKILL);
    while (waitpid(child, NULL, 0) < 0 && errno == EINTR) continue;
  }
  close(ends[0]);
}

/* The word behind `name`, in place of the answer. */
static bool find_word(char *answer, const char *name, char **word) {
  char *at = strstr(answer, name);
  if (!at) return false;
  *word = at + strlen(name);
  (*word)[strcspn(*word, " \n")] = '\0';
  return true;
}

/* "59:12 1:00:00": what is left, and the limit. */
static bool from_squeue(char *id, nu_job_time *out) {
  char name[] = "squeue", header[] = "-h", job[] = "-j", format[] = "-o", fields[] = "%L %l";
  char answer[ANSWER], *const argv[] = {name, header, job, id, format, fields, NULL};
  ask(argv, answer);
  char *left = answer + strspn(answer, " "), *limit = strchr(left, ' ');
  if (!limit) return false;
  *limit++ = '\0';
  limit[strcspn(limit, " \n")] = '\0';
  return nu_parse_duration(left, true, &out->left) && nu_parse_duration(limit, false, &out->length);
}

/* "... RunTime=00:00:48 TimeLimit=01:00:00 ..." */
static bool from_scontrol(char *id, nu_job_time *out) {
  char name[] = "scontrol", show[] = "show", job[] = "job";
  char answer[ANSWER], *const argv[] = {name, show, job, id, NULL}, *limit, *ran;
  double seconds;
  ask(argv, answer);
  char *again = strstr(answer, "TimeLimit=");
  if (!again || !find_word(again, "TimeLimit=", &limit) || !find_word(answer, "RunTime=", &ran) ||
      !nu_parse_duration(limit, false, &out->length) || !nu_parse_duration(ran, true, &seconds))
    return false;
  out->left = out->length - seconds;
  return true;
}

/* ---- what this job is called */

static bool is_number(const char *text) {
  return text && *text != '\0' && strspn(text, "0123456789") == strlen(text);
}

/* "17", or "12_3" of an array, whose first number may be that of all its tasks. */
static bool find_id(char id[ID]) {
  const char *job = getenv("SLURM_JOB_ID"), *array = getenv("SLURM_ARRAY_JOB_ID"),
             *task = getenv("SLURM_ARRAY_TASK_ID");
  bool is_task = is_number(array) && is_number(task);
  nu_show_format(id, ID, "%s%s%s",
                 is_task          ? array
                 : is_number(job) ? job
                                  : "",
                 is_task ? "_" : "", is_task ? task : "");
  return id[0] != '\0';
}

bool nu_job_time_read(nu_job_time *out, nu_text *why) {
  char id[ID];
  if (from_environment(out)) return true;
  if (!find_id(id)) {
    nu_text_add(why, "this is no Slurm job (SLURM_JOB_ID is not set)");
    return false;
  }
  if (from_squeue(id, out) || from_scontrol(id, out)) return true;
  nu_text_addf(
      why, "Slurm's job %s has no end that SLURM_JOB_END_TIME, squeue or scontrol would tell", id);
  return false;
}
