/*
 * Paho C in `npm run bench:peers`: QoS 1 with its file persistence, which does not sync either.
 * Prints what took place as JSON, as the other clients do. Compiled by peers-paho.ts.
 *
 *   paho-durable URI CLIENT-ID FOLDER WINDOW WARM-UP COUNT
 */
#include <MQTTAsync.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>

#define TOPIC "sensors/kitchen/temperature/main"
#define PAYLOAD_SIZE 64

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t changed = PTHREAD_COND_INITIALIZER;
static int isConnected = 0;
static long outstanding = 0;

static void fail(const char *what, int code)
{
  fprintf(stderr, "paho-durable: %s: %d\n", what, code);
  exit(1);
}

static void onConnected(void *context, MQTTAsync_successData *data)
{
  pthread_mutex_lock(&lock);
  isConnected = 1;
  pthread_cond_signal(&changed);
  pthread_mutex_unlock(&lock);
}

static void onAcked(void *context, MQTTAsync_successData *data)
{
  pthread_mutex_lock(&lock);
  outstanding--;
  pthread_cond_signal(&changed);
  pthread_mutex_unlock(&lock);
}

static void onFailed(void *context, MQTTAsync_failureData *data)
{
  fail(data && data->message ? data->message : "failed", data ? data->code : 0);
}

/* Waits until at most `most` messages are without their PUBACK. */
static void waitFor(long most)
{
  pthread_mutex_lock(&lock);
  while (outstanding > most) pthread_cond_wait(&changed, &lock);
  pthread_mutex_unlock(&lock);
}

static void sendAll(MQTTAsync client, long count, long window)
{
  char payload[PAYLOAD_SIZE] = {0};
  MQTTAsync_responseOptions options = MQTTAsync_responseOptions_initializer;
  options.onSuccess = onAcked;
  options.onFailure = onFailed;
  for (long i = 0; i < count; i++) {
    waitFor(window - 1);
    pthread_mutex_lock(&lock);
    outstanding++;
    pthread_mutex_unlock(&lock);
    int code = MQTTAsync_send(client, TOPIC, PAYLOAD_SIZE, payload, 1, 0, &options);
    if (code != MQTTASYNC_SUCCESS) fail("send", code);
  }
  waitFor(0);
}

static double wallMs(void)
{
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return now.tv_sec * 1e3 + now.tv_nsec / 1e6;
}

static double cpuMs(void)
{
  struct rusage usage;
  getrusage(RUSAGE_SELF, &usage);
  return (usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) * 1e3 +
         (usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e3;
}

int main(int argc, char **argv)
{
  if (argc != 7) fail("six arguments are needed", argc - 1);
  long window = atol(argv[4]);
  MQTTAsync client;
  int code = MQTTAsync_create(&client, argv[1], argv[2], MQTTCLIENT_PERSISTENCE_DEFAULT, argv[3]);
  if (code != MQTTASYNC_SUCCESS) fail("create", code);
  MQTTAsync_connectOptions options = MQTTAsync_connectOptions_initializer;
  options.cleansession = 0;
  options.maxInflight = (int)window;
  options.onSuccess = onConnected;
  options.onFailure = onFailed;
  code = MQTTAsync_connect(client, &options);
  if (code != MQTTASYNC_SUCCESS) fail("connect", code);
  pthread_mutex_lock(&lock);
  while (!isConnected) pthread_cond_wait(&changed, &lock);
  pthread_mutex_unlock(&lock);

  sendAll(client, atol(argv[5]), window);
  double cpu = cpuMs(), start = wallMs();
  sendAll(client, atol(argv[6]), window);
  printf("{\"ms\":%f,\"cpuMs\":%f,\"returnedMs\":0}\n", wallMs() - start, cpuMs() - cpu);
  return 0; /* the process ends with its threads */
}
