// Package mapping turns the lines of a file, CSV or NDJSON, into events as the
// front door takes them. A mapping says which column becomes what:
//
//	event: track
//	name: Order Line
//	user_id: $CustomerID
//	anonymous_id: invoice-$InvoiceNo     # of lines without a user id
//	time: {value: $InvoiceDate, zone: Europe/London}
//	properties:
//	  order_id: $InvoiceNo
//	  price: {value: $UnitPrice, as: number}
//	  total: {product: [$Quantity, $UnitPrice]}
//	  currency: GBP
//
// A text may hold columns: $Name, or ${Name with blanks}; $$ is a dollar sign.
// In NDJSON a column is the path of a member: $order.id. A field of which every
// column is empty is left out.
package mapping
