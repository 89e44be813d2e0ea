/*
 * What Moddable's JavaScript cannot do without garbage, or cannot do at all: moving bytes between
 * typed arrays, CRC-32, a random number of 32 bits, deep sleep. `native.ts` beside it declares them.
 * Knows nothing of records, packets or sockets.
 */
#include "xsmc.h"
#include "xsHost.h"
#include "mc.xs.h"

#if ESP32
	#include "esp_random.h"
	#include "esp_sleep.h"
#elif defined(__linux__)
	#include <sys/random.h>
#endif

/* `length` bytes from `at` on have to lie within `size`. Compared so that nothing can overflow. */
static void checkRange(xsMachine* the, xsIntegerValue at, xsIntegerValue length, xsUnsignedValue size)
{
	if ((at < 0) || (length < 0) || ((xsUnsignedValue)at > size) || ((xsUnsignedValue)length > size - (xsUnsignedValue)at))
		xsRangeError("holdfast: range outside the buffer");
}

/* copy(target, targetAt, source, sourceAt, length): the ranges may overlap. */
void xs_holdfast_copy(xsMachine* the)
{
	xsIntegerValue targetAt = xsmcToInteger(xsArg(1));
	xsIntegerValue sourceAt = xsmcToInteger(xsArg(3));
	xsIntegerValue length = xsmcToInteger(xsArg(4));
	void *target, *source;
	xsUnsignedValue targetSize, sourceSize;
	xsmcGetBufferWritable(xsArg(0), &target, &targetSize);
	xsmcGetBufferReadable(xsArg(2), &source, &sourceSize);
	checkRange(the, targetAt, length, targetSize);
	checkRange(the, sourceAt, length, sourceSize);
	c_memmove((uint8_t*)target + targetAt, (uint8_t*)source + sourceAt, length);
}

/*
 * crc32(source, at, length): IEEE 802.3, as in zlib. Half a byte a step: the table is 64 bytes, and
 * the chip's flash cache, not this loop, sets the pace.
 */
void xs_holdfast_crc32(xsMachine* the)
{
	static const uint32_t table[16] ICACHE_RODATA_ATTR = {
		0x00000000, 0x1db71064, 0x3b6e20c8, 0x26d930ac, 0x76dc4190, 0x6b6b51f4, 0x4db26158, 0x5005713c,
		0xedb88320, 0xf00f9344, 0xd6d6a3e8, 0xcb61b38c, 0x9b64c2b0, 0x86d3d2d4, 0xa00ae278, 0xbdbdf21c
	};
	xsIntegerValue at = xsmcToInteger(xsArg(1));
	xsIntegerValue length = xsmcToInteger(xsArg(2));
	void* source;
	xsUnsignedValue size;
	const uint8_t* byte;
	uint32_t crc = 0xffffffff;
	xsmcGetBufferReadable(xsArg(0), &source, &size);
	checkRange(the, at, length, size);
	for (byte = (const uint8_t*)source + at; length > 0; length--, byte++) {
		crc ^= *byte;
		crc = (crc >> 4) ^ table[crc & 15];
		crc = (crc >> 4) ^ table[crc & 15];
	}
	xsmcSetNumber(xsResult, (xsNumberValue)(uint32_t)~crc);
}

/* random(): 32 bits from the hardware (ESP32, with the radio on) or from the system. */
void xs_holdfast_random(xsMachine* the)
{
	uint32_t drawn;
#if ESP32
	drawn = esp_random();
#elif defined(__linux__)
	if (getrandom(&drawn, sizeof(drawn), 0) != sizeof(drawn))
		xsUnknownError("holdfast: no random numbers");
#else
	drawn = ((uint32_t)c_rand() << 16) ^ (uint32_t)c_rand();
#endif
	xsmcSetNumber(xsResult, (xsNumberValue)drawn);
}

/* deepSleep(ms): ends the program; the chip boots again when the time is over. */
void xs_holdfast_deepSleep(xsMachine* the)
{
	xsNumberValue ms = xsmcToNumber(xsArg(0));
#if ESP32
	if (!(ms >= 1))
		ms = 1;
	esp_deep_sleep((uint64_t)(ms * 1000));
#else
	(void)ms;
	xsUnknownError("holdfast: this platform has no deep sleep");
#endif
}
