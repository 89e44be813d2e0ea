/*
 * xs-device: a board on a desk. Reads the command line, runs the bundle on XS in a heap of the
 * board's size, and then calls the firmware when time has come or the socket is ready. Exit codes:
 * 0 and the firmware's own; 1 uncaught exception; 2 wrong use; 11, 12, 16 memory, stack, keys full.
 *
 * SPDX-License-Identifier: MIT OR LGPL-3.0-or-later
 */
#include "device.h"
#include "objects.h"
#include "socket.h"

#include <signal.h>

const char* hostConfig = "";
int hostReportFd = -1;
static int printsCounts;
static txMachine* device;

static const char usage[] =
	"usage: xs-device [--image FILE --capacity N [--erase-size 4096] [--write-size 4]]\n"
	"  [--cut-at N] [--cut-bits SEED] [--creation chunk=78848,heap=4928,stack=512,keys=32]\n"
	"  [--config JSON] [--report-fd N] [--count] [--preload library.js] bundle.js\n";

txNumber hostNow(void)
{
	struct timespec now;
	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * 1000.0 + now.tv_nsec / 1e6;
}

void hostExit(int code)
{
	if (printsCounts && device) {
		txNumber values[REPORT_COUNT];
		int i;
		machineReport(device, values);
		fprintf(stderr, "xs-device: counts [");
		for (i = 0; i < REPORT_COUNT; i++)
			fprintf(stderr, i ? ",%.0f" : "%.0f", values[i]);
		fprintf(stderr, "]\n");
	}
	flashSave();
	fflush(NULL);
	/* Not exit(): nothing registered by a library may run in a machine that is out of memory. */
	_exit(code);
}

static void refuse(const char* what, const char* value)
{
	fprintf(stderr, "xs-device: %s%s\n%s", what, value, usage);
	hostExit(EXIT_USAGE);
}

static double numberOf(const char* name, const char* text)
{
	char* end;
	double value = strtod(text, &end);
	if ((end == text) || *end || !(value >= 0) || (value > 4294967295.0)
			|| (value != (double)(uint32_t)value))
		refuse("not a whole number for ", name);
	return value;
}

/* "chunk=78848,heap=4928": what is not named keeps its value. */
static void readCreation(txCreation* creation, const char* text)
{
	char copy[200];
	char* item;
	if (strlen(text) >= sizeof(copy))
		refuse("too long: ", text);
	strcpy(copy, text);
	for (item = strtok(copy, ","); item; item = strtok(NULL, ",")) {
		char* value = strchr(item, '=');
		if (!value)
			refuse("not name=value: ", item);
		*value++ = 0;
		if (!strcmp(item, "chunk"))
			creation->initialChunkSize = (txSize)numberOf(item, value);
		else if (!strcmp(item, "heap"))
			creation->initialHeapCount = (txSize)numberOf(item, value);
		else if (!strcmp(item, "stack"))
			creation->stackCount = (txSize)numberOf(item, value);
		else if (!strcmp(item, "keys"))
			creation->initialKeyCount = (txSize)numberOf(item, value);
		else
			refuse("unknown in --creation: ", item);
	}
}

/* The nodemcu target of the ESP32 in the Moddable SDK; nothing may grow. */
static void setDefaults(txCreation* creation, FlashOptions* flash)
{
	memset(creation, 0, sizeof(*creation));
	creation->initialChunkSize = 78848;
	creation->initialHeapCount = 4928;
	creation->stackCount = 512;
	creation->initialKeyCount = 32;
	creation->nameModulo = 127;
	creation->symbolModulo = 127;
	creation->parserBufferSize = 1024;
	creation->parserTableModulo = 17;
	memset(flash, 0, sizeof(*flash));
	flash->eraseSize = 4096;
	flash->writeSize = 4;
}

static void readOptions(int count, char** arguments, txCreation* creation, FlashOptions* flash,
	Bundles* bundles)
{
	int i;
	for (i = 1; i < count; i++) {
		const char* name = arguments[i];
		const char* value = (i + 1 < count) ? arguments[i + 1] : NULL;
		if (!strcmp(name, "--count")) {
			printsCounts = 1;
			continue;
		}
		if (strncmp(name, "--", 2)) {
			if (bundles->bundlePath)
				refuse("more than one bundle: ", name);
			bundles->bundlePath = name;
			continue;
		}
		if (!value)
			refuse("no value for ", name);
		i++;
		if (!strcmp(name, "--image"))
			flash->path = value;
		else if (!strcmp(name, "--capacity"))
			flash->capacity = numberOf(name, value);
		else if (!strcmp(name, "--erase-size"))
			flash->eraseSize = numberOf(name, value);
		else if (!strcmp(name, "--write-size"))
			flash->writeSize = numberOf(name, value);
		else if (!strcmp(name, "--cut-at"))
			flash->cutAt = numberOf(name, value);
		else if (!strcmp(name, "--cut-bits"))
			flash->cutSeed = (uint32_t)numberOf(name, value);
		else if (!strcmp(name, "--creation"))
			readCreation(creation, value);
		else if (!strcmp(name, "--preload"))
			bundles->preloadPath = value;
		else if (!strcmp(name, "--config"))
			hostConfig = value;
		else if (!strcmp(name, "--report-fd"))
			hostReportFd = (int)numberOf(name, value);
		else
			refuse("unknown option ", name);
	}
	if (!bundles->bundlePath)
		refuse("no bundle", "");
}

/*
 * Runs until the firmware exits or nothing is left to wait for. `poll` is due when it asked to be,
 * when the socket is ready, and after a timer: what the timer did may be something to send.
 */
static void runForever(void)
{
	txNumber pollDue = hostNow();
	for (;;) {
		txNumber now = hostNow();
		txNumber due = timersDue();
		int hasPoll = pollFunction.kind == XS_REFERENCE_KIND;
		int isReady;
		if (hasPoll && (pollDue >= 0) && ((due < 0) || (pollDue < due)))
			due = pollDue;
		if ((due < 0) && (!hasPoll || (socketState() == TRANSPORT_CLOSED)))
			due = now;
		isReady = socketWait(due < 0 ? -1 : due > now ? due - now : 0);
		now = hostNow();
		if (isReady) {
			machineCall(device, &readyFunction, now);
			machineRunPromiseJobs(device);
			pollDue = now;
		}
		if (timersRun(device, now))
			pollDue = now;
		hasPoll = pollFunction.kind == XS_REFERENCE_KIND;
		if (hasPoll && (pollDue >= 0) && (pollDue <= now)) {
			txNumber wait = machineCall(device, &pollFunction, now);
			machineRunPromiseJobs(device);
			/* NaN is no wish either. */
			pollDue = ((wait >= 0) && (wait < 1e15)) ? now + wait : -1;
		}
		else if (!isReady && (timersDue() < 0) && !(hasPoll && (pollDue >= 0))
				&& (!hasPoll || (socketState() == TRANSPORT_CLOSED)))
			hostExit(0);
	}
}

int main(int count, char** arguments)
{
	txCreation creation;
	FlashOptions flash;
	Bundles bundles = { NULL, NULL };
	const char* trouble = NULL;
	unsigned seed = 0;
	setDefaults(&creation, &flash);
	readOptions(count, arguments, &creation, &flash, &bundles);
	setvbuf(stdout, NULL, _IOLBF, 0);
	signal(SIGPIPE, SIG_IGN);
	/* XS makes Math.random of rand(). */
	if (getentropy(&seed, sizeof(seed)) == 0)
		srand(seed);
	if (flash.path)
		trouble = flashOpen(&flash);
	if (trouble)
		refuse(trouble, "");
	device = machineMake(&creation, &flash, &bundles);
	machineRunBundle(device);
	machineRunPromiseJobs(device);
	runForever();
	return 0;
}
