/*
 * Runs a program that mcconfig linked for the Linux simulator, without the simulator and its
 * window: `headless mc.so`. Calls its idle function from a glib loop, until it is killed.
 */
#define mxLinux 1
#include "screen.h"
#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>

static txScreen* screen;
static guint timer;

static gboolean onTimer(gpointer unused)
{
	(void)unused;
	if (screen->idle)
		screen->idle(screen);
	return TRUE;
}

static void onAbort(txScreen* it, int status)
{
	(void)it;
	printf("aborted with %d\n", status);
	exit(1);
}

static void onChange(txScreen* it)
{
	(void)it;
}

static void onPost(txScreen* it, char* bytes, int size)
{
	(void)it;
	(void)bytes;
	(void)size;
}

static void onStart(txScreen* it, double interval)
{
	(void)it;
	(void)interval;
	if (!timer)
		timer = g_timeout_add(5, onTimer, NULL);
}

static void onStop(txScreen* it)
{
	(void)it;
	if (timer)
		g_source_remove(timer);
	timer = 0;
}

int main(int count, char** words)
{
	void* program = (count == 2) ? dlopen(words[1], RTLD_NOW | RTLD_GLOBAL) : NULL;
	txScreenLaunchProc launch = program ? (txScreenLaunchProc)dlsym(program, "fxScreenLaunch") : NULL;
	if (!launch) {
		fprintf(stderr, "usage: headless mc.so: %s\n", (count == 2) ? dlerror() : "");
		return 1;
	}
	setvbuf(stdout, NULL, _IOLBF, 0);
	screen = calloc(1, sizeof(txScreen) + 16 * 16 * screenBytesPerPixel);
	mxCreateMutex(&screen->workersMutex);
	screen->mainThread = mxCurrentThread();
	screen->abort = onAbort;
	screen->bufferChanged = onChange;
	screen->formatChanged = onChange;
	screen->post = onPost;
	screen->start = onStart;
	screen->stop = onStop;
	screen->width = 16;
	screen->height = 16;
	launch(screen);
	g_main_loop_run(g_main_loop_new(NULL, FALSE));
	return 0;
}
