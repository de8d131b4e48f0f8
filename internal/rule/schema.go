package rule

func (c *compiler) observe(*Program) error { return nil }
