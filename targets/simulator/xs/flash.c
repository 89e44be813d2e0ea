/*
 * A NOR flash chip in a file, with the contract of hal/storage.ts: erasing sets the bits of whole
 * sectors, writing clears bits, each write unit once between erases. Beside the image FILE lie
 *   FILE.units  one bit a write unit, lowest bit first: written since the last erase
 *   FILE.stats  {"programmedBytes":n,"erases":n,"doubleProgrammedBytes":n}, over all runs
 * A cut tears one operation and kills this process, as a pulled plug would. Knows no JavaScript.
 *
 * SPDX-License-Identifier: MIT OR LGPL-3.0-or-later
 */
#include "flash.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

/* Another process may add up the statistics while this one runs: they are never older than this. */
#define SAVE_EVERY 100

static FlashOptions chip;
static uint8_t* cells;
static uint8_t* units;
static size_t unitCount;
static double operations;
static double programmedBytes;
static double erases;
static double doubleProgrammedBytes;
static uint32_t chanceState;
static char words[200];

static uint32_t chance(void)
{
	chanceState ^= chanceState << 13;
	chanceState ^= chanceState >> 17;
	chanceState ^= chanceState << 5;
	return chanceState;
}

static int isPowerOfTwo(double value)
{
	uint32_t whole = (uint32_t)value;
	return (value == whole) && whole && !(whole & (whole - 1));
}

static const char* sidePath(const char* ending)
{
	static char path[4096];
	snprintf(path, sizeof(path), "%s%s", chip.path, ending);
	return path;
}

/* Maps a file of `size` bytes; makes one that is not there, full of `fill`. */
static const char* mapFile(const char* path, size_t size, int fill, uint8_t** bytes, int* isNew)
{
	struct stat state;
	int file = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0644);
	if ((file < 0) || fstat(file, &state)) {
		snprintf(words, sizeof(words), "cannot open %s: %s", path, strerror(errno));
		return words;
	}
	*isNew = state.st_size == 0;
	if (!*isNew && ((size_t)state.st_size != size)) {
		snprintf(words, sizeof(words), "%s has %lld bytes, wanted %zu", path,
			(long long)state.st_size, size);
		return words;
	}
	if (*isNew && ftruncate(file, size)) {
		snprintf(words, sizeof(words), "cannot make %s: %s", path, strerror(errno));
		return words;
	}
	*bytes = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
	close(file);
	if (*bytes == MAP_FAILED) {
		snprintf(words, sizeof(words), "cannot map %s: %s", path, strerror(errno));
		return words;
	}
	if (*isNew)
		memset(*bytes, fill, size);
	return NULL;
}

static int isWritten(size_t unit)
{
	return units[unit >> 3] >> (unit & 7) & 1;
}

static void markUnits(double address, double length, int written)
{
	size_t unit = (size_t)(address / chip.writeSize);
	size_t limit = (size_t)((address + length) / chip.writeSize);
	for (; unit < limit; unit++) {
		uint8_t bit = 1 << (unit & 7);
		units[unit >> 3] = written ? (units[unit >> 3] | bit) : (units[unit >> 3] & ~bit);
	}
}

/* An image without its units: whatever does not read erased counts as written. */
static void guessUnits(void)
{
	size_t at;
	for (at = 0; at < (size_t)chip.capacity; at++) {
		size_t unit = at / (size_t)chip.writeSize;
		if (cells[at] != 0xFF)
			units[unit >> 3] |= 1 << (unit & 7);
	}
}

static void readStats(void)
{
	FILE* file = fopen(sidePath(".stats"), "r");
	if (!file)
		return;
	if (fscanf(file, "{\"programmedBytes\":%lf,\"erases\":%lf,\"doubleProgrammedBytes\":%lf}",
			&programmedBytes, &erases, &doubleProgrammedBytes) != 3)
		programmedBytes = erases = doubleProgrammedBytes = 0;
	fclose(file);
}

/* By way of a second file: readers and kills at any instant meet the old or the new numbers. */
void flashSave(void)
{
	char name[4096];
	FILE* file;
	if (!cells)
		return;
	snprintf(name, sizeof(name), "%s", sidePath(".stats.new"));
	file = fopen(name, "w");
	if (!file)
		return;
	fprintf(file, "{\"programmedBytes\":%.0f,\"erases\":%.0f,\"doubleProgrammedBytes\":%.0f}\n",
		programmedBytes, erases, doubleProgrammedBytes);
	if (!fclose(file))
		rename(name, sidePath(".stats"));
}

const char* flashOpen(const FlashOptions* options)
{
	const char* trouble;
	int isNew;
	int unitsAreNew;
	chip = *options;
	if (!isPowerOfTwo(chip.eraseSize) || (chip.eraseSize < 512) || (chip.eraseSize > 65536))
		return "--erase-size is not a power of two from 512 to 65536";
	if (!isPowerOfTwo(chip.writeSize) || (chip.writeSize > 32))
		return "--write-size is not a power of two up to 32";
	if (!(chip.capacity > 0) || !(chip.capacity <= 1 << 28)
			|| ((size_t)chip.capacity % (size_t)chip.eraseSize))
		return "--capacity is not a whole number of sectors";
	unitCount = (size_t)(chip.capacity / chip.writeSize);
	trouble = mapFile(chip.path, (size_t)chip.capacity, 0xFF, &cells, &isNew);
	if (!trouble)
		trouble = mapFile(sidePath(".units"), (unitCount + 7) / 8, 0, &units, &unitsAreNew);
	if (trouble) {
		cells = NULL;
		return trouble;
	}
	/* What lies beside an image that is gone belongs to that one. */
	if (isNew) {
		memset(units, 0, (unitCount + 7) / 8);
		remove(sidePath(".stats"));
	}
	else if (unitsAreNew)
		guessUnits();
	readStats();
	/* A small seed must not leave the generator at zero, where it would stay, or near it. */
	chanceState = (chip.cutSeed + 1) * 2654435761u | 1;
	return NULL;
}

static const char* checkRange(const char* what, double address, double length, double unit)
{
	if (address + length > chip.capacity)
		snprintf(words, sizeof(words), "storage contract: %s at %.0f for %.0f bytes is outside the"
			" capacity of %.0f", what, address, length, chip.capacity);
	else if (((uint32_t)address % (uint32_t)unit) || ((uint32_t)length % (uint32_t)unit))
		snprintf(words, sizeof(words), "storage contract: %s at %.0f for %.0f bytes is not"
			" aligned to %.0f", what, address, length, unit);
	else
		return NULL;
	return words;
}

/* True for the operation that the power cut tears. */
static int isCut(void)
{
	operations++;
	if (((uint32_t)operations % SAVE_EVERY) == 0)
		flashSave();
	return operations == chip.cutAt;
}

static void pullPlug(void)
{
	flashSave();
	fflush(NULL);
	msync(cells, (size_t)chip.capacity, MS_SYNC);
	msync(units, (unitCount + 7) / 8, MS_SYNC);
	raise(SIGKILL);
}

/*
 * Lets a part of the pending bits flip, and says in how many bytes it did: of each 256 bits `share`
 * flip, or those of the first bytes. `source` is null for an erase, which wants to set bits.
 */
static int tear(uint8_t* at, const uint8_t* source, size_t length)
{
	uint32_t model = chance() % 4;
	size_t wholeBytes = length;
	uint32_t share = 128;
	size_t i;
	int bit;
	int flipped = 0;
	if (model == 0)
		wholeBytes = 0;
	else if (model == 1) {
		wholeBytes = chance() % (length + 1);
		share = 256;
	}
	else if (model == 2)
		share = chance() % 257;
	for (i = 0; i < wholeBytes; i++) {
		uint8_t pending = source ? (at[i] & ~source[i]) : (uint8_t)~at[i];
		uint8_t flips = 0;
		for (bit = 1; bit < 256; bit <<= 1)
			if ((pending & bit) && ((chance() >> 8 & 255) < share))
				flips |= bit;
		at[i] ^= flips;
		flipped += flips != 0;
	}
	return flipped;
}

const char* flashRead(double address, uint8_t* target, double length)
{
	const char* trouble = checkRange("read", address, length, 1);
	if (!trouble)
		memcpy(target, cells + (size_t)address, (size_t)length);
	return trouble;
}

const char* flashWrite(double address, const uint8_t* source, double length)
{
	uint8_t* at = cells + (size_t)address;
	const char* trouble = checkRange("write", address, length, chip.writeSize);
	size_t unit;
	size_t i;
	int cut;
	if (trouble || (length == 0))
		return trouble;
	unit = (size_t)(address / chip.writeSize);
	for (; unit * chip.writeSize < address + length; unit++) {
		if (isWritten(unit)) {
			doubleProgrammedBytes += chip.writeSize;
			trouble = words;
		}
	}
	if (trouble) {
		flashSave();
		snprintf(words, sizeof(words), "storage contract: write at %.0f for %.0f bytes: a unit is"
			" written a second time since its erase", address, length);
		return trouble;
	}
	cut = isCut();
	programmedBytes += length;
	if (cut) {
		/* A torn write uses up all its units, but one that changed no bit has left no trace. */
		if (tear(at, source, (size_t)length))
			markUnits(address, length, 1);
		pullPlug();
	}
	markUnits(address, length, 1);
	for (i = 0; i < (size_t)length; i++)
		at[i] &= source[i];
	return NULL;
}

const char* flashErase(double address, double length)
{
	const char* trouble = checkRange("erase", address, length, chip.eraseSize);
	size_t sector = (size_t)chip.eraseSize;
	size_t whole = (size_t)length;
	uint8_t* at;
	int cut;
	if (trouble || (length == 0))
		return trouble;
	at = cells + (size_t)address;
	cut = isCut();
	if (cut)
		whole = chance() % ((size_t)length / sector) * sector;
	memset(at, 0xFF, whole);
	markUnits(address, whole, 0);
	erases += whole / sector;
	if (cut) {
		erases++;
		/* What a torn erase leaves does not hold, even where it reads 0xFF: no unit is free. */
		if (chance() % 4 == 0)
			memset(at + whole, 0xFF, sector);
		else
			tear(at + whole, NULL, sector);
		markUnits(address + whole, sector, 1);
		pullPlug();
	}
	return NULL;
}
