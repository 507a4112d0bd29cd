// Samples of a sem_t in shared memory on request, and of a recursive mutex: the floor. See bench/harness/helper.ts for the protocol.
#define _GNU_SOURCE
#include <pthread.h>
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
  pthread_mutex_t mutex;
  pthread_barrier_t gate;
  volatile int ready;
  volatile long counter;
};

#define WARM_UP 2000 // what is done before the measured

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

static void mutex_pairs(pthread_mutex_t *mutex, long count) {
  for (long i = 0; i < count; i++) {
    pthread_mutex_lock(mutex);
    pthread_mutex_unlock(mutex);
  }
}

static void increments(struct shared *shared, long count) {
  for (long i = 0; i < count; i++) {
    sem_wait(&shared->lock);
    shared->counter++;
    sem_post(&shared->lock);
  }
}

static double contended(struct shared *shared, long processes, long count) {
  pthread_barrierattr_t attributes;
  pthread_barrierattr_init(&attributes);
  pthread_barrierattr_setpshared(&attributes, PTHREAD_PROCESS_SHARED);
  pthread_barrier_init(&shared->gate, &attributes, processes + 1);
  for (long i = 0; i < processes; i++) {
    if (fork() == 0) {
      increments(shared, WARM_UP);
      __sync_fetch_and_add(&shared->ready, 1);
      pthread_barrier_wait(&shared->gate);
      increments(shared, count);
      pthread_barrier_wait(&shared->gate); // the start and the end of a process are not measured
      _exit(0);
    }
  }
  while (shared->ready < processes) usleep(1000);
  double started = now();
  pthread_barrier_wait(&shared->gate);
  pthread_barrier_wait(&shared->gate);
  double ns = (now() - started) / (processes * count);
  for (long i = 0; i < processes; i++) wait(NULL);
  if (shared->counter != processes * (count + WARM_UP)) exit(1);
  return ns;
}

static double handover(struct shared *shared, long count) {
  if (fork() == 0) {
    for (long i = 0; i < WARM_UP + count; i++) {
      sem_wait(&shared->ping);
      sem_post(&shared->pong);
    }
    _exit(0);
  }
  double started = 0;
  for (long i = 0; i < WARM_UP + count; i++) {
    if (i == WARM_UP) started = now();
    sem_post(&shared->ping);
    sem_wait(&shared->pong);
  }
  double ns = (now() - started) / count;
  wait(NULL);
  return ns;
}

static void make_recursive(pthread_mutex_t *mutex) {
  pthread_mutexattr_t attributes;
  pthread_mutexattr_init(&attributes);
  pthread_mutexattr_settype(&attributes, PTHREAD_MUTEX_RECURSIVE);
  pthread_mutexattr_setpshared(&attributes, PTHREAD_PROCESS_SHARED);
  pthread_mutexattr_setrobust(&attributes, PTHREAD_MUTEX_ROBUST);
  pthread_mutex_init(mutex, &attributes);
}

int main(void) {
  char line[200], name[20], kind[20];
  long first, second;
  setvbuf(stdout, NULL, _IOLBF, 0);
  puts("{\"ready\":true}");
  while (fgets(line, sizeof line, stdin)) {
    struct shared *shared = mmap(NULL, sizeof *shared, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    sem_init(&shared->lock, 1, 1);
    make_recursive(&shared->mutex);
    sem_init(&shared->ping, 1, 0);
    sem_init(&shared->pong, 1, 0);
    double ns;
    if (sscanf(line, "pair %19s %ld", kind, &first) == 2) {
      double started = now();
      if (strcmp(kind, "RLock") == 0)
        mutex_pairs(&shared->mutex, first);
      else
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
