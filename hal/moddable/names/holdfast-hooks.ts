/**
 * `holdfast/hooks` in a Moddable project: `sealed`, for storage hooks of one's own.
 */
export * from 'holdfast/src/store/seal'
