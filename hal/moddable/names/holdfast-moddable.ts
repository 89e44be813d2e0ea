/**
 * `holdfast/moddable` in a Moddable project: the HAL for Moddable.
 */
export * from 'holdfast/hal/moddable/index'
