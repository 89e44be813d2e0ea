/**
 * `holdfast/properties` in a Moddable project: properties read in place.
 */
export * from 'holdfast/src/message-properties'
