/* deny_binding [-g] COMMAND ARGUMENT...: runs it where the system refuses to bind threads and to
 * choose nodes for memory, as some containers do; with -g, also to tell the affinity mask. SPDX-License-Identifier: MIT */
#define _GNU_SOURCE
#include <errno.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

/* A denied call jumps to the last instruction, over the one that allows. */
#define DENY(call, last) BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, call, last, 0)

int main(int n, char **arguments) {
  static struct sock_filter rules[] = {
      BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
      DENY(SYS_sched_getaffinity, 5),
      DENY(SYS_sched_setaffinity, 4),
      DENY(SYS_mbind, 3),
      DENY(SYS_set_mempolicy, 2),
      DENY(SYS_move_pages, 1),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EPERM),
  };
  struct sock_fprog program = {sizeof rules / sizeof rules[0], rules};
  bool tells = n < 2 || strcmp(arguments[1], "-g") != 0;
  if (tells) rules[1] = rules[0]; /* loading the call's number again denies nothing */
  else arguments++;
  if (n < (tells ? 2 : 3)) return 2;
  if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) ||
      prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program)) {
    perror("deny_binding");
    return 77;
  }
  execvp(arguments[1], arguments + 1);
  perror(arguments[1]);
  return 127;
}
