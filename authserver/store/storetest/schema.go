package storetest

var schemaClauses = []clause{
	{"it tells its backend and the version to which it was brought", schemaIsTold},
}

func schemaIsTold(c *contract) {
	schema := c.store.Schema()
	if schema.Backend == "" || schema.Version < 1 {
		c.Errorf("it is kept as %+v", schema)
	}
}
