/* A folder that stands for "/", with files of /proc and of cgroups in it, and a launcher's
 * variables. SPDX-License-Identifier: MIT */
#ifndef TESTS_FAKE_ROOT_H
#define TESTS_FAKE_ROOT_H

#define FAKE_ROOT 256

typedef struct fake_file {
  const char *name, *text; /* name: from the root on, without a slash in front */
} fake_file;

/* Below TMPDIR. Remove it at the end. */
void fake_root_make(char root[FAKE_ROOT]);
void fake_root_write(const char *root, const char *name, const char *text);
/* Up to the first one without a name. */
void fake_root_write_all(const char *root, const fake_file *files, int most);
void fake_root_remove(const char *root);

/* Of the variables that OpenMP and launchers set, these alone, "NAME=VALUE", up to NULL. */
void fake_launch(const char *const *variables, int most);

#endif
