// Samples of a sem_t in shared memory on request: the floor. See bench/harness/helper.ts for the protocol.
#include <semaphore.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

struct shared {
  sem_t lock, ping, pong;
  volatile int ready, go;
  volatile long counter;
};

static double now(void) {
  struct timespec time;
  clock_gettime(CLOCK_MONOTONIC, &time);
  return time.tv_sec * 1e9 + time.tv_nsec;
}

static void pairs(sem_t *lock, long count) {
  for (long i = 0; i < count; i++) {
    sem_wait(lock);
    sem_post(lock);
  }
}

static double contended(struct shared *shared, long processes, long count) {
  for (long i = 0; i < processes; i++) {
    if (fork() == 0) {
      __sync_fetch_and_add(&shared->ready, 1);
      while (!shared->go) usleep(100);
      for (long j = 0; j < count; j++) {
        sem_wait(&shared->lock);
        shared->counter++;
        sem_post(&shared->lock);
      }
      _exit(0);
    }
  }
  while (shared->ready < processes) usleep(100);
  double started = now();
  shared->go = 1;
  for (long i = 0; i < processes; i++) wait(NULL);
  double ns = (now() - started) / (processes * count);
  if (shared->counter != processes * count) exit(1);
  return ns;
}

static double handover(struct shared *shared, long count) {
  if (fork() == 0) {
    for (long i = 0; i < count; i++) {
      sem_wait(&shared->ping);
      sem_post(&shared->pong);
    }
    _exit(0);
  }
  sem_post(&shared->ping);
  sem_wait(&shared->pong);
  double started = now();
  for (long i = 1; i < count; i++) {
    sem_post(&shared->ping);
    sem_wait(&shared->pong);
  }
  double ns = (now() - started) / (count - 1);
  wait(NULL);
  return ns;
}

int main(void) {
  char line[200], name[20], kind[20];
  long first, second;
  setvbuf(stdout, NULL, _IOLBF, 0);
  puts("{\"ready\":true}");
  while (fgets(line, sizeof line, stdin)) {
    struct shared *shared = mmap(NULL, sizeof *shared, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    sem_init(&shared->lock, 1, 1);
    sem_init(&shared->ping, 1, 0);
    sem_init(&shared->pong, 1, 0);
    double ns;
    if (sscanf(line, "pair %19s %ld", kind, &first) == 2) {
      double started = now();
      pairs(&shared->lock, first);
      ns = (now() - started) / first;
    } else if (sscanf(line, "contended %ld %ld", &first, &second) == 2) {
      ns = contended(shared, first, second);
    } else if (sscanf(line, "%19s %ld", name, &first) == 2 && strcmp(name, "handover") == 0) {
      ns = handover(shared, first);
    } else if (sscanf(line, "%19s %ld", name, &first) == 2 && strcmp(name, "increment") == 0) {
      double started = now();
      for (long i = 0; i < first; i++) __sync_fetch_and_add(&shared->counter, 1);
      ns = (now() - started) / first;
    } else {
      puts("{\"error\":\"an unknown request\"}");
      continue;
    }
    printf("{\"ns\":%f}\n", ns);
    munmap(shared, sizeof *shared);
  }
}
