/**
 * `holdfast/moddable` in a Moddable project: The HAL for Moddable.
 */
export * from 'holdfast/hal/moddable/index'
