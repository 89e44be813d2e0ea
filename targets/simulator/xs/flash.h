/*
 * A NOR flash chip in a file; flash.c says how it behaves.
 *
 * SPDX-License-Identifier: MIT OR LGPL-3.0-or-later
 */
#ifndef HOLDFAST_XS_FLASH_H
#define HOLDFAST_XS_FLASH_H

#include <stdint.h>

typedef struct {
	const char* path;
	double capacity;
	double eraseSize;
	double writeSize;
	double cutAt;
	uint32_t cutSeed;
} FlashOptions;

/* Each returns 0, or words for what is wrong: valid until the next call. */
const char* flashOpen(const FlashOptions* options);
const char* flashRead(double address, uint8_t* target, double length);
const char* flashWrite(double address, const uint8_t* source, double length);
const char* flashErase(double address, double length);
/* Writes the statistics; legal without an open chip. */
void flashSave(void);

#endif
