/*
 * Preloaded into a server under test: notes what it has put on the disk, as lines in the file RINGSIDE_SYNCED_LENGTHS. What is not there
 * would be gone with the power.
 *
 *   "device inode 0 bytes"     after fsync and fdatasync: all of the file up to the length that it had when that began
 *   "device inode from to"     after a write to a file that was opened with O_SYNC or O_DSYNC: that part
 *   "written device inode from to"  after any other write to a place in a file
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#define REAL(type, name, ...) ((type(*)(__VA_ARGS__))dlsym(RTLD_NEXT, name))

static void note(const char *what, const struct stat *file, long long from, long long to) {
  const char *path = getenv("RINGSIDE_SYNCED_LENGTHS");
  if (path == NULL || !S_ISREG(file->st_mode)) return;
  int log = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
  if (log < 0) return;
  char line[128];
  int bytes = snprintf(line, sizeof line, "%s%lu %lu %lld %lld\n", what, (unsigned long)file->st_dev,
                       (unsigned long)file->st_ino, from, to);
  if (REAL(ssize_t, "write", int, const void *, size_t)(log, line, bytes) != bytes) abort();
  close(log);
}

static int note_sync(const char *name, int fd) {
  struct stat before;
  int known = fstat(fd, &before);
  int result = REAL(int, name, int)(fd);
  if (known == 0 && result == 0) note("", &before, 0, before.st_size);
  return result;
}

int fsync(int fd) { return note_sync("fsync", fd); }
int fdatasync(int fd) { return note_sync("fdatasync", fd); }

static ssize_t note_write(int fd, ssize_t written, off_t at) {
  struct stat file;
  if (written <= 0 || fstat(fd, &file) != 0) return written;
  int is_synced = (fcntl(fd, F_GETFL) & O_DSYNC) != 0;
  if (!is_synced && at < 0) return written;
  long long from = at >= 0 ? at : (long long)lseek(fd, 0, SEEK_CUR) - written;
  note(is_synced ? "" : "written ", &file, from, from + written);
  return written;
}

ssize_t write(int fd, const void *bytes, size_t count) {
  return note_write(fd, REAL(ssize_t, "write", int, const void *, size_t)(fd, bytes, count), -1);
}
ssize_t writev(int fd, const struct iovec *parts, int count) {
  return note_write(fd, REAL(ssize_t, "writev", int, const struct iovec *, int)(fd, parts, count), -1);
}
ssize_t pwrite(int fd, const void *bytes, size_t count, off_t at) {
  return note_write(fd, REAL(ssize_t, "pwrite", int, const void *, size_t, off_t)(fd, bytes, count, at), at);
}
ssize_t pwrite64(int fd, const void *bytes, size_t count, off_t at) { return pwrite(fd, bytes, count, at); }
ssize_t pwritev(int fd, const struct iovec *parts, int count, off_t at) {
  return note_write(fd, REAL(ssize_t, "pwritev", int, const struct iovec *, int, off_t)(fd, parts, count, at), at);
}
ssize_t pwritev64(int fd, const struct iovec *parts, int count, off_t at) { return pwritev(fd, parts, count, at); }
