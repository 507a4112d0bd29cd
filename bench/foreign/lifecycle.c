/* Samples of fork, _exit and waitpid on request. See bench/harness/helper.ts for the protocol. */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static long long now_ns(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return now.tv_sec * 1000000000LL + now.tv_nsec;
}

static void sample_fork(void) {
  long long started = now_ns();
  pid_t pid = fork();
  if (pid == 0) _exit(0);
  int status = -1;
  if (pid < 0 || waitpid(pid, &status, 0) != pid || status != 0) {
    printf("{\"error\":\"fork or waitpid failed, status %d\"}\n", status);
    return;
  }
  printf("{\"ns\":%lld}\n", now_ns() - started);
}

static void grow(const char *kind, long long size) {
  size_t block = strcmp(kind, "buffers") == 0 ? 1 << 20 : 112; /* 112: two to three small objects' worth */
  for (long long done = 0; done < size; done += block + 16) {
    char *memory = malloc(block); /* kept for ever */
    if (memory == NULL) break;    /* seen from outside: the resident size is not reached */
    memset(memory, 1, block);
  }
  printf("{}\n");
}

int main(void) {
  char line[256], word[64];
  long long size;
  setvbuf(stdout, NULL, _IOLBF, 0);
  printf("{\"ready\":true}\n");
  while (fgets(line, sizeof line, stdin) != NULL) {
    if (strcmp(line, "sample fork\n") == 0)
      sample_fork();
    else if (sscanf(line, "grow %63s %lld", word, &size) == 2)
      grow(word, size);
    else
      printf("{\"error\":\"unknown request\"}\n");
  }
  return 0;
}
