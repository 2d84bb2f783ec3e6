/* Sets the wall clock of a process back (or on) by ATLEASTONCE_CLOCK_SHIFT seconds; preloaded.

   Only CLOCK_REALTIME is shifted. Whoever waits until an absolute time has read the shifted clock before, so the shift
   is taken off again from such times; times below 1e9 seconds belong to other clocks (a machine's uptime). */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <pthread.h>
#include <semaphore.h>
#include <stdlib.h>
#include <sys/time.h>
#include <threads.h>
#include <time.h>

#define REAL(name) \
    static __typeof__(&name) real; \
    if (!real) real = (__typeof__(&name))dlsym(RTLD_NEXT, #name)

static long shift(void)
{
    static long seconds, known;
    if (!known) {
        const char *text = getenv("ATLEASTONCE_CLOCK_SHIFT");
        seconds = text ? atol(text) : 0;
        known = 1;
    }
    return seconds;
}

static const struct timespec *unshifted(const struct timespec *until, struct timespec *copy)
{
    if (!until || until->tv_sec < 1000000000) return until;
    *copy = *until;
    copy->tv_sec -= shift();
    return copy;
}

int clock_gettime(clockid_t clock, struct timespec *now)
{
    REAL(clock_gettime);
    int result = real(clock, now);
    if (!result && (clock == CLOCK_REALTIME || clock == CLOCK_REALTIME_COARSE)) now->tv_sec += shift();
    return result;
}

int gettimeofday(struct timeval *now, void *zone)
{
    REAL(gettimeofday);
    int result = real(now, zone);
    if (!result) now->tv_sec += shift();
    return result;
}

time_t time(time_t *now)
{
    struct timespec read;
    clock_gettime(CLOCK_REALTIME, &read);
    if (now) *now = read.tv_sec;
    return read.tv_sec;
}

int timespec_get(struct timespec *now, int base)
{
    REAL(timespec_get);
    int result = real(now, base);
    if (result == TIME_UTC) now->tv_sec += shift();
    return result;
}

int pthread_cond_timedwait(pthread_cond_t *cond, pthread_mutex_t *mutex, const struct timespec *until)
{
    static __typeof__(&pthread_cond_timedwait) real;
    struct timespec copy;
    /* The default symbol may be the one of before glibc 2.3.2, whose conditions look otherwise. */
    if (!real) real = (__typeof__(&pthread_cond_timedwait))dlvsym(RTLD_NEXT, "pthread_cond_timedwait", "GLIBC_2.3.2");
    if (!real) real = (__typeof__(&pthread_cond_timedwait))dlsym(RTLD_NEXT, "pthread_cond_timedwait");
    return real(cond, mutex, unshifted(until, &copy));
}

int cnd_timedwait(cnd_t *cond, mtx_t *mutex, const struct timespec *until)
{
    REAL(cnd_timedwait);
    struct timespec copy;
    return real(cond, mutex, unshifted(until, &copy));
}

int sem_timedwait(sem_t *semaphore, const struct timespec *until)
{
    REAL(sem_timedwait);
    struct timespec copy;
    return real(semaphore, unshifted(until, &copy));
}

int pthread_mutex_timedlock(pthread_mutex_t *mutex, const struct timespec *until)
{
    REAL(pthread_mutex_timedlock);
    struct timespec copy;
    return real(mutex, unshifted(until, &copy));
}
