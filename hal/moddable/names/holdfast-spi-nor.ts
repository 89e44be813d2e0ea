/**
 * `holdfast/spi-nor` in a Moddable project: SPI NOR chips.
 */
export * from 'holdfast/hal/spi-nor/index'
