/*
 * setTimeout, setInterval and their clear functions: a table of fixed size outside the heap, as a
 * runtime on a board has. The closure is the firmware's. Knows no event but time.
 *
 * SPDX-License-Identifier: MIT OR LGPL-3.0-or-later
 */
#include "device.h"
#include "objects.h"

#define TIMER_COUNT 32

typedef struct {
	txInteger id;
	txNumber due;
	txNumber interval;
} Timer;

/* A row is free when its id is 0. The functions stand apart: XS links these slots as roots. */
static Timer timers[TIMER_COUNT];
static txSlot functions[TIMER_COUNT];
static txInteger lastId;

static void setTimer(txMachine* the, int repeats)
{
	txNumber delay = (mxArgc > 1) ? fxToNumber(the, mxArgv(1)) : 0;
	int row = 0;
	if ((mxArgc < 1) || (mxArgv(0)->kind != XS_REFERENCE_KIND))
		mxTypeError("a timer needs a function");
	while ((row < TIMER_COUNT) && timers[row].id)
		row++;
	if (row == TIMER_COUNT)
		mxRangeError("more than %d timers", TIMER_COUNT);
	/* NaN becomes 1 too; an interval of 0 would keep everything else from running. */
	if (!(delay >= 1))
		delay = 1;
	timers[row].id = ++lastId;
	timers[row].due = hostNow() + delay;
	timers[row].interval = repeats ? delay : 0;
	functions[row].kind = XS_REFERENCE_KIND;
	functions[row].value.reference = mxArgv(0)->value.reference;
	returnNumber(the, lastId);
}

static void freeRow(int row)
{
	timers[row].id = 0;
	functions[row].kind = XS_UNDEFINED_KIND;
}

static void setTimeoutFunction(txMachine* the)
{
	setTimer(the, 0);
}

static void setIntervalFunction(txMachine* the)
{
	setTimer(the, 1);
}

static void clearTimer(txMachine* the)
{
	int row;
	txInteger id = 0;
	if ((mxArgc > 0) && (mxArgv(0)->kind == XS_INTEGER_KIND))
		id = mxArgv(0)->value.integer;
	for (row = 0; row < TIMER_COUNT; row++)
		if (id && (timers[row].id == id))
			freeRow(row);
}

void timersBuild(txMachine* the)
{
	defineFunction(the, "setTimeout", setTimeoutFunction);
	defineFunction(the, "setInterval", setIntervalFunction);
	defineFunction(the, "clearTimeout", clearTimer);
	defineFunction(the, "clearInterval", clearTimer);
}

void timersRemember(txMachine* the)
{
	int row;
	for (row = 0; row < TIMER_COUNT; row++) {
		functions[row].kind = XS_UNDEFINED_KIND;
		fxRemember(the, &functions[row]);
	}
}

/* When the next timer is due, or -1. */
txNumber timersDue(void)
{
	txNumber due = -1;
	int row;
	for (row = 0; row < TIMER_COUNT; row++)
		if (timers[row].id && ((due < 0) || (timers[row].due < due)))
			due = timers[row].due;
	return due;
}

/* Runs the timers that are due at `now`, the longest due first, and says how many. */
int timersRun(txMachine* the, txNumber now)
{
	int count = 0;
	while (count < TIMER_COUNT) {
		txSlot function;
		int first = -1;
		int row;
		for (row = 0; row < TIMER_COUNT; row++)
			if (timers[row].id && (timers[row].due <= now)
					&& ((first < 0) || (timers[row].due < timers[first].due)))
				first = row;
		if (first < 0)
			break;
		/* Moved on or freed before the call: the function may set and clear timers itself. */
		function = functions[first];
		if (timers[first].interval) {
			timers[first].due += timers[first].interval;
			if (timers[first].due <= now)
				timers[first].due = now + timers[first].interval;
		}
		else
			freeRow(first);
		machineCall(the, &function, now);
		machineRunPromiseJobs(the);
		count++;
	}
	return count;
}
