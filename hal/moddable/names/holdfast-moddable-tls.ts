/**
 * `holdfast/moddable/tls` in a Moddable project: TLS for the HAL.
 */
export * from 'holdfast/hal/moddable/tls/tls'
