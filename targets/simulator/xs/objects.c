/*
 * The global names of the firmware: `device` and `console`. They are built in the ROM machine, so
 * the firmware's heap does not pay for them; what the firmware sets (`poll`, `onReady`) goes to
 * slots of the host. The larger parts of `device` have files of their own.
 *
 * SPDX-License-Identifier: MIT OR LGPL-3.0-or-later
 */
#include "objects.h"

#include <sys/uio.h>

txSlot pollFunction;
txSlot readyFunction;

txSlot* beginObject(txMachine* the)
{
	mxPush(mxObjectPrototype);
	return fxLastProperty(the, fxNewObjectInstance(the));
}

txSlot* addFunction(txMachine* the, txSlot* last, const char* name, txCallback callback)
{
	txID id = fxNewNameC(the, (txString)name);
	return fxNextHostFunctionProperty(the, last, callback, 0, id, XS_NO_FLAG);
}

txSlot* addAccessor(txMachine* the, txSlot* last, const char* name, txCallback get, txCallback set)
{
	txID id = fxNewNameC(the, (txString)name);
	return fxNextHostAccessorProperty(the, last, get, set, id, XS_NO_FLAG);
}

txSlot* addNumber(txMachine* the, txSlot* last, const char* name, txNumber value)
{
	return fxNextIntegerProperty(the, last, (txInteger)value, fxNewNameC(the, (txString)name),
		XS_DONT_SET_FLAG);
}

txSlot* addTop(txMachine* the, txSlot* last, const char* name)
{
	last = fxNextSlotProperty(the, last, the->stack, fxNewNameC(the, (txString)name), XS_NO_FLAG);
	mxPop();
	return last;
}

void defineTop(txMachine* the, const char* name)
{
	txID id = fxNewNameC(the, (txString)name);
	txSlot* property = mxBehaviorSetProperty(the, mxGlobal.value.reference, id, 0, XS_OWN);
	property->flag = XS_DONT_ENUM_FLAG;
	property->kind = the->stack->kind;
	property->value = the->stack->value;
	mxPop();
}

void defineFunction(txMachine* the, const char* name, txCallback callback)
{
	fxNewHostFunction(the, callback, 0, fxNewNameC(the, (txString)name), XS_NO_ID);
	defineTop(the, name);
}

/* One line, its arguments with spaces between. */
static void printLine(txMachine* the, FILE* stream)
{
	int i;
	for (i = 0; i < mxArgc; i++) {
		if (i)
			fputc(' ', stream);
		fputs(fxToString(the, mxArgv(i)), stream);
	}
	fputc('\n', stream);
}

static void printToOutput(txMachine* the)
{
	printLine(the, stdout);
}

static void printToError(txMachine* the)
{
	printLine(the, stderr);
}

/* One write of the whole line: it is out even if the power is cut in the next operation. */
static void deviceReport(txMachine* the)
{
	const char* text = textArgument(the, 0);
	struct iovec parts[2];
	ssize_t count;
	if (hostReportFd < 0) {
		printToOutput(the);
		return;
	}
	parts[0].iov_base = (void*)text;
	parts[0].iov_len = strlen(text);
	parts[1].iov_base = "\n";
	parts[1].iov_len = 1;
	do {
		count = writev(hostReportFd, parts, 2);
	} while ((count < 0) && (errno == EINTR));
	if (count != (ssize_t)(parts[0].iov_len + 1))
		mxUnknownError("report was not taken: %s", strerror(errno));
}

static void getConfig(txMachine* the)
{
	fxStringX(the, mxResult, (txString)hostConfig);
}

static void getPoll(txMachine* the)
{
	mxResult->kind = pollFunction.kind;
	mxResult->value = pollFunction.value;
}

static void setPoll(txMachine* the)
{
	pollFunction.kind = mxArgv(0)->kind;
	pollFunction.value = mxArgv(0)->value;
}

static void deviceMemory(txMachine* the)
{
	machineReport(the, doublesArgument(the, 0, REPORT_COUNT));
	returnNumber(the, REPORT_COUNT);
}

static void deviceGc(txMachine* the)
{
	fxCollectGarbage(the);
}

static void deviceExit(txMachine* the)
{
	hostExit((mxArgc > 0) ? fxToInteger(the, mxArgv(0)) : 0);
}

void objectsBuild(txMachine* the, const FlashOptions* flash)
{
	txSlot* last = beginObject(the);
	storageObjectBuild(the, flash);
	last = addTop(the, last, "storage");
	transportObjectBuild(the);
	last = addTop(the, last, "transport");
	systemObjectBuild(the);
	last = addTop(the, last, "system");
	last = addAccessor(the, last, "config", getConfig, C_NULL);
	last = addAccessor(the, last, "poll", getPoll, setPoll);
	last = addFunction(the, last, "print", printToOutput);
	last = addFunction(the, last, "report", deviceReport);
	last = addFunction(the, last, "memory", deviceMemory);
	last = addFunction(the, last, "gc", deviceGc);
	addFunction(the, last, "exit", deviceExit);
	defineTop(the, "device");
	last = beginObject(the);
	last = addFunction(the, last, "log", printToOutput);
	last = addFunction(the, last, "info", printToOutput);
	last = addFunction(the, last, "warn", printToOutput);
	addFunction(the, last, "error", printToError);
	defineTop(the, "console");
	timersBuild(the);
}

/* Roots of the clone: what they refer to is not garbage. */
void objectsRemember(txMachine* the)
{
	pollFunction.kind = XS_UNDEFINED_KIND;
	readyFunction.kind = XS_UNDEFINED_KIND;
	fxRemember(the, &pollFunction);
	fxRemember(the, &readyFunction);
	timersRemember(the);
}
