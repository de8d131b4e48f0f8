cx('page', 'Home', { section: 'start' })
