/**
 * `holdfast/storage-part` in a Moddable project: several stores on one chip.
 */
export * from 'holdfast/hal/storage-part'
