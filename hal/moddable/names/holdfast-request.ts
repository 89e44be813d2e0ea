/**
 * `holdfast/request` in a Moddable project: request and response.
 */
export * from 'holdfast/src/request'
