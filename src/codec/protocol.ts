/**
 * The numbers of MQTT 3.1.1 and MQTT 5: packet types, Reason Codes, property identifiers, limits.
 *
 * Numbers only. What they mean for a packet stands in `encode.ts`, `decode.ts` and
 * `properties.ts`.
 */

/** The Protocol Version byte of CONNECT [MQTT-3.1.2-2]. */
export const V311 = 4
export const V5 = 5

/**
 * What every codec function returns when the bytes at hand end too early: the target is too small
 * to write, or more bytes must arrive to read. Every other negative result is a Reason Code with
 * a minus sign, ready for DISCONNECT.
 */
export const ERR_SPACE = -1

/** The largest number a Variable Byte Integer holds. */
export const MAX_REMAINING_LENGTH = 268435455

/** Packet types. WILL is not one: it stands for the Will Properties inside CONNECT. */
export const WILL = 0
export const CONNECT = 1
export const CONNACK = 2
export const PUBLISH = 3
export const PUBACK = 4
export const PUBREC = 5
export const PUBREL = 6
export const PUBCOMP = 7
export const SUBSCRIBE = 8
export const SUBACK = 9
export const UNSUBSCRIBE = 10
export const UNSUBACK = 11
export const PINGREQ = 12
export const PINGRESP = 13
export const DISCONNECT = 14
export const AUTH = 15

/** Reason Codes of MQTT 5, section 2.4. */
export const REASON_SUCCESS = 0x00
export const REASON_DISCONNECT_WITH_WILL = 0x04
export const REASON_NO_MATCHING_SUBSCRIBERS = 0x10
export const REASON_NO_SUBSCRIPTION_EXISTED = 0x11
export const REASON_CONTINUE_AUTHENTICATION = 0x18
export const REASON_REAUTHENTICATE = 0x19
export const REASON_UNSPECIFIED_ERROR = 0x80
export const REASON_MALFORMED_PACKET = 0x81
export const REASON_PROTOCOL_ERROR = 0x82
export const REASON_IMPLEMENTATION_SPECIFIC_ERROR = 0x83
export const REASON_UNSUPPORTED_PROTOCOL_VERSION = 0x84
export const REASON_CLIENT_IDENTIFIER_NOT_VALID = 0x85
export const REASON_BAD_USER_NAME_OR_PASSWORD = 0x86
export const REASON_NOT_AUTHORIZED = 0x87
export const REASON_SERVER_UNAVAILABLE = 0x88
export const REASON_SERVER_BUSY = 0x89
export const REASON_BANNED = 0x8a
export const REASON_SERVER_SHUTTING_DOWN = 0x8b
export const REASON_BAD_AUTHENTICATION_METHOD = 0x8c
export const REASON_KEEP_ALIVE_TIMEOUT = 0x8d
export const REASON_SESSION_TAKEN_OVER = 0x8e
export const REASON_TOPIC_FILTER_INVALID = 0x8f
export const REASON_TOPIC_NAME_INVALID = 0x90
export const REASON_PACKET_IDENTIFIER_IN_USE = 0x91
export const REASON_PACKET_IDENTIFIER_NOT_FOUND = 0x92
export const REASON_RECEIVE_MAXIMUM_EXCEEDED = 0x93
export const REASON_TOPIC_ALIAS_INVALID = 0x94
export const REASON_PACKET_TOO_LARGE = 0x95
export const REASON_MESSAGE_RATE_TOO_HIGH = 0x96
export const REASON_QUOTA_EXCEEDED = 0x97
export const REASON_ADMINISTRATIVE_ACTION = 0x98
export const REASON_PAYLOAD_FORMAT_INVALID = 0x99
export const REASON_RETAIN_NOT_SUPPORTED = 0x9a
export const REASON_QOS_NOT_SUPPORTED = 0x9b
export const REASON_USE_ANOTHER_SERVER = 0x9c
export const REASON_SERVER_MOVED = 0x9d
export const REASON_SHARED_SUBSCRIPTIONS_NOT_SUPPORTED = 0x9e
export const REASON_CONNECTION_RATE_EXCEEDED = 0x9f
export const REASON_MAXIMUM_CONNECT_TIME = 0xa0
export const REASON_SUBSCRIPTION_IDENTIFIERS_NOT_SUPPORTED = 0xa1
export const REASON_WILDCARD_SUBSCRIPTIONS_NOT_SUPPORTED = 0xa2

/** Property identifiers of MQTT 5, section 2.2.2.2. */
export const PROPERTY_PAYLOAD_FORMAT_INDICATOR = 1
export const PROPERTY_MESSAGE_EXPIRY_INTERVAL = 2
export const PROPERTY_CONTENT_TYPE = 3
export const PROPERTY_RESPONSE_TOPIC = 8
export const PROPERTY_CORRELATION_DATA = 9
export const PROPERTY_SUBSCRIPTION_IDENTIFIER = 11
export const PROPERTY_SESSION_EXPIRY_INTERVAL = 17
export const PROPERTY_ASSIGNED_CLIENT_IDENTIFIER = 18
export const PROPERTY_SERVER_KEEP_ALIVE = 19
export const PROPERTY_AUTHENTICATION_METHOD = 21
export const PROPERTY_AUTHENTICATION_DATA = 22
export const PROPERTY_REQUEST_PROBLEM_INFORMATION = 23
export const PROPERTY_WILL_DELAY_INTERVAL = 24
export const PROPERTY_REQUEST_RESPONSE_INFORMATION = 25
export const PROPERTY_RESPONSE_INFORMATION = 26
export const PROPERTY_SERVER_REFERENCE = 28
export const PROPERTY_REASON_STRING = 31
export const PROPERTY_RECEIVE_MAXIMUM = 33
export const PROPERTY_TOPIC_ALIAS_MAXIMUM = 34
export const PROPERTY_TOPIC_ALIAS = 35
export const PROPERTY_MAXIMUM_QOS = 36
export const PROPERTY_RETAIN_AVAILABLE = 37
export const PROPERTY_USER_PROPERTY = 38
export const PROPERTY_MAXIMUM_PACKET_SIZE = 39
export const PROPERTY_WILDCARD_SUBSCRIPTION_AVAILABLE = 40
export const PROPERTY_SUBSCRIPTION_IDENTIFIERS_AVAILABLE = 41
export const PROPERTY_SHARED_SUBSCRIPTION_AVAILABLE = 42
/** No identifier is larger, so all fit one byte of the Variable Byte Integer that they are. */
export const PROPERTY_LAST = 42
