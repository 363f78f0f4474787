"""Tables of URLs: hostile ones with their sources, legitimate ones, and what DNS answers for the names in them.

Sources of the hostile ones, by letter:
P  PayloadsAllTheThings, "Server Side Request Forgery"
T  Orange Tsai, "A New Era of SSRF: Exploiting URL Parser in Trending Programming Languages", Black Hat 2017
C  cujanovic/SSRF-Testing (cloud-metadata.txt, ip.py, README)
I  IANA special-purpose address registries, IPv4 and IPv6
W  WHATWG URL standard and its test data: hosts that browsers read as addresses
V  CVEs: 2021-29921 (leading zeros in Python's ipaddress), 2020-28360 (private-ip), 2023-42282 and 2024-29415 (ip for
   Node), 2024-4032 (is_private in Python), 2019-9740 (CR and LF in urllib), 2021-28918 (netmask)
R  RFCs: 3986, 4291, 6052, 8215, 3056, 4380, 5214, 7526, 9637
M  metadata services' own documentation
O  OWASP, "Server-Side Request Forgery Prevention Cheat Sheet"

␍, ␊ and ␉ stand for the control characters that they picture.
"""

HOSTILE = r"""
P http://127.0.0.1:80
P http://127.0.0.1:443
P http://127.0.0.1:22
P http://0.0.0.0:80
P http://0.0.0.0:443
P http://localhost:80
P http://localhost:22
P https://127.0.0.1/
P https://localhost/
P http://[::]:80/
P http://[::]:25/
P http://0000::1:80/
P http://[0000::1]:80/
P http://localtest.me
P http://customer1.app.localhost.my.company.127.0.0.1.nip.io
P http://127.0.0.1.nip.io/
P http://127.127.127.127
P http://127.0.1.3
P http://127.0.0.0
P http://2130706433/
P http://3232235521/
P http://3232235777/
P http://2852039166/
P http://0177.0.0.1/
P http://o177.0.0.1/
P http://0o177.0.0.1/
P http://q177.0.0.1/
P http://[0:0:0:0:0:ffff:127.0.0.1]
P http://[0:0:0:0:0:ffff:127.0.0.1%25eth0]
P http://localhost:+11211aaa
P http://localhost:00011211aaaa
P http://0/
P http://127.1
P http://127.0.1
P http://127.0.0.1/%61dmin
P http://127.0.0.1/%2561dmin
P http://evil$google.com
P http://1.1.1.1 &@2.2.2.2# @3.3.3.3/
P http://ⓔⓧⓐⓜⓟⓛⓔ.ⓒⓞⓜ
P http://①②⑦.⓪.⓪.①/
P http://๑๒๗.๐.๐.๑/
P 0://evil.com:80;http://google.com:80/
P http://127.1.1.1:80\@127.2.2.2:80/
P http://127.1.1.1:80\@@127.2.2.2:80/
P http://127.1.1.1:80:\@@127.2.2.2:80/
P http://127.1.1.1:80#\@127.2.2.2:80/
P http://make-1.2.3.4-rebind-169.254-169.254-rr.1u.ms/
P jar:http://127.0.0.1!/
P file://path/to/file
P file:///etc/passwd
P file://\/\/etc/passwd
P dict://attacker:11111/
P sftp://evil.com:11111/
P tftp://evil.com:12346/TESTUDPPACKET
P ldap://localhost:11211/%0astats%0aquit
P gopher://127.0.0.1:25/xHELO%20localhost
P netdoc:///etc/passwd
P ftp://example.com/openapi.json
P data:application/json,{}
P javascript:alert(1)
P unix:///var/run/docker.sock
P http+unix://%2Fvar%2Frun%2Fdocker.sock/info
P http://127.0.0.1:2375/v1.24/containers/json
P http://127.0.0.1:2379/v2/keys/?recursive=true
P http://rancher-metadata/
T http://foo@evil.com:80@google.com/
T http://foo@127.0.0.1 @google.com/
T http://foo@127.0.0.1:11211@google.com:80/
T http://127.0.0.1␉foo.google.com
T http://127.0.0.1%09foo.google.com
T http://127.0.0.1%2509foo.google.com
T http://orange.tw@127.0.0.1/
T http://127.0.0.1:11211:80/
T http://0␍␊ SLAVEOF orange.tw 6379␍␊ :80/
T http://127.0.0.1%0d%0aHELO/
T http://orange.tw/ＮＮ/%00@127.0.0.1 x
T http://[::1%0d%0a]/
C http://[::1]/
C http://[::1]:8080/
C http://[0:0:0:0:0:0:0:1]/
C http://[::127.0.0.1]/
C http://[::ffff:127.0.0.1]/
C http://[::ffff:7f00:1]/
C http://[0:0:0:0:0:ffff:7f00:0001]/
C http://[::ffff:169.254.169.254]/
C http://[::ffff:a9fe:a9fe]/
C http://0x7f000001/
C http://0x7f.0x0.0x0.0x1/
C http://0x7f.1/
C http://0X7F.0.0.1/
C http://0xa9fea9fe/
C http://0xA9.0xFE.0xA9.0xFE/
C http://0251.0376.0251.0376/
C http://0251.254.169.254/
C http://00000251.00000376.000251.0000376/
C http://025177524776/
C http://017700000001/
C http://0177.1/
C http://169.254.43518/
C http://169.16689662/
C http://425.510.425.510/
C http://7147006462/
C http://0x41414141A9FEA9FE/
C http://383.256.256.257/
C http://127.0.0.1.xip.io/
C http://169.254.169.254.xip.io/
C http://instance-data/latest/meta-data
C http://spoofed.burpcollaborator.net/
I http://0.1.2.3/
I http://10.0.0.1/
I http://10.255.255.255/
I http://100.64.0.1/
I http://100.127.255.254/
I http://127.255.255.254/
I http://169.254.1.1/
I http://172.16.0.1/
I http://172.31.255.255/
I http://192.0.0.8/
I http://192.0.0.170/
I http://192.0.2.1/
I http://192.168.0.1/
I http://192.168.255.255/
I http://192.88.99.1/
I http://198.18.0.1/
I http://198.19.255.255/
I http://198.51.100.7/
I http://203.0.113.9/
I http://224.0.0.1/
I http://239.255.255.250:8080/
I http://240.0.0.1/
I http://255.255.255.255/
I http://[fc00::1]/
I http://[fd12:3456:789a::1]/
I http://[fe80::1]/
I http://[febf::1]/
I http://[fec0::1]/
I http://[ff02::1]/
I http://[ff0e::1]/
I http://[100::1]/
I http://[2001:db8::1]/
I http://[2001:1::1]/
I http://[2001:10::1]/
I http://[2001:20::1]/
I http://[2001:2::1]/
I http://[3fff::1]/
I http://[5f00::1]/
I http://[4000::1]/
I http://[8000::1]/
R http://[64:ff9b::7f00:1]/
R http://[64:ff9b::169.254.169.254]/
R http://[64:ff9b::8.8.8.8]/
R http://[64:ff9b:1::10.0.0.1]/
R http://[64:ff9b:1:fffe::10.0.0.1]/
R http://[2002:7f00:1::]/
R http://[2002:a9fe:a9fe::1]/
R http://[2002:808:808::1]/
R http://[2001:0:4136:e378:8000:63bf:3fff:fdd2]/
R http://[2001::80ff:fffe]/
R http://[2606:4700::5efe:127.0.0.1]/
R http://[2606:4700::200:5efe:10.0.0.1]/
R http://[::ffff:0:127.0.0.1]/
R http://[::10.0.0.1]/
R http://[::8.8.8.8]/
R http://[::ffff:8.8.8.8]/
R http://[::ffff:0808:0808]/
R http://[fe80::1%25eth0]/
R http://[fe80::1%eth0]/
R http://[::1%251]/
R http://[v1.fe80::a+en1]/
R http://[::1
R http://::1]/
R http://[::1]]/
R http://[[::1]]/
R http://[:::1]/
R http://[1:2:3:4:5:6:7:8:9]/
R http://[]/
R http://::1/
R http://user@example.com/
R http://user:password@example.com/
R http://@example.com/
R http://:@example.com/
R http://:80/
R http:///example.com
R http:example.com
R //example.com/openapi.json
R example.com/openapi.json
R http://example.com:/
R http://example.com:0/
R http://example.com:080/
R http://example.com:65536/
R http://example.com:99999999999/
R http://example.com:-80/
R http://example.com:80a/
R http://example.com:22/
R http://example.com:25/
R http://example.com:6379/
R http://example.com:6443/
R http://example.com:10250/
W http://１２７.0.0.1/
W http://127。0。0。1/
W http://127.0.0.1｡/
W http://١٢٧.0.0.1/
W http://%31%32%37%2e%30%2e%30%2e%31/
W http://%6c%6f%63%61%6c%68%6f%73%74/
W http://loc%41lhost/
W http://lo­calhost/
W http://ｌｏｃａｌｈｏｓｔ/
W http://localhost./
W http://LOCALHOST/
W http://foo.localhost/
W http://foo.LocalHost./
W http://127.0.0.1./
W http://127.0.0.1../
W http://.127.0.0.1/
W http://127..0.0.1/
W http://127.0.0.0x1/
W http://foo.0x1/
W http://foo.09/
W http://1.2.3.08/
W http://0x/
W http://0xffffffff1/
W http://4294967296/
W http://256.256.256.256/
W http://1.2.3.4.5/
W http://999999999999999999999999/
W http://+127.0.0.1/
W http://-127.0.0.1/
W http://127.0.0.1,8.8.8.8/
W http://127.0.0.1;8.8.8.8/
W http://8.8.8.8./
W http:\\127.0.0.1\
W http:/\127.0.0.1/
W http:/127.0.0.1/
W http:////127.0.0.1/
W http://a..b/
W http://example.com../
W http://example.com%00.evil.com/
W http://exam ple.com/
W http://exam<ple>.com/
W http://exam|ple.com/
W http://exam^ple.com/
W http://bücher.example/
W http://-.example.com-/
V http://010.0.0.1/
V http://127.0.0.01/
V http://00000177.0.0.1/
V http://0127.0.0.1/
V http://012.1.2.3/
V http://0000.0.0.0/
V http://192.0.0.1/
V http://0xC0.0xA8.0x01.0x01/
V http://[::fFFf:127.0.0.1]/
V http://127.1.1/
V http://example.com/ HTTP/1.1␍␊X: y
M http://169.254.169.254/latest/meta-data/iam/security-credentials/
M http://169.254.170.2/v2/credentials/
M http://169.254.170.23/v1/credentials
M http://[fd00:ec2::254]/latest/meta-data/
M http://[fd00:ec2::23]/v1/credentials
M http://[fd20:ce::254]/computeMetadata/v1/
M http://metadata.google.internal/computeMetadata/v1/
M http://METADATA.google.internal./computeMetadata/v1/
M http://metadata/computeMetadata/v1/
M http://168.63.129.16/machine?comp=goalstate
M http://100.100.100.200/latest/meta-data/
M http://192.0.0.192/latest/
M http://169.254.0.23/latest/meta-data/
M http://metadata.tencentyun.com/latest/meta-data/
M http://metadata.packet.net/userdata
M http://192.80.8.124/metadata
M http://[fe80::a9fe:a9fe%25eth0]/openstack
M http://[fe80::a9fe:a9fe]/openstack
M http://[fd00:42::42]/conf
M http://[::ffff:168.63.129.16]/
O http://kubernetes.default.svc/api
O http://kubernetes.default.svc:443/
O https://kubernetes.default.svc.cluster.local/openapi/v2
O http://internal.corp.example/
O http://both-public-and-private.example/
O http://public-v4-private-v6.example/
O http://mapped-answer.example/
O http://zoned-answer.example/
O http://azure-answer.example/
""".strip().splitlines()

LEGITIMATE = """
https://api.example.com/openapi.json
http://api.example.com/openapi.json
https://api.example.com
https://API.Example.COM/openapi.json
https://api.example.com./openapi.json
https://api.example.com:443/openapi.json
https://api.example.com:8443/openapi.json
http://api.example.com:8080/v3/api-docs
http://api.example.com:443/
HTTPS://api.example.com/openapi.json
https://api.example.com/openapi.json?version=2&format=json
https://api.example.com?version=2
https://api.example.com/openapi.json#/paths/~1pets
https://api.example.com/a/../openapi.json
https://api.example.com/v1/@scope/openapi.yaml
https://api.example.com/a%20b/openapi.json
https://api.example.com/naïve/openapi.json
https://api.example.com/?next=http://127.0.0.1/
https://api.example.com/a:b;c=d,e/(f)!*'$&+=
https://raw.example.com/owner/repo/main/openapi/api.github.com.json
https://a.example.com/
https://my-api-2.eu-west-1.example.com/spec
https://under_score.example.com/
https://xn--bcher-kva.example/openapi.json
https://3scale.example.com/
https://0x7f.example.com/
https://127.0.0.1.example.com/
https://localhost.example.com/
https://metadata.example.com/
https://1.1.1.1/openapi.json
http://8.8.8.8/
http://9.255.255.255/
http://11.0.0.0/
http://100.63.255.255/
http://100.128.0.0/
http://172.15.255.255/
http://172.32.0.0/
http://192.167.255.255/
http://198.17.255.255/
http://223.255.255.255/
https://[2606:4700:4700::1111]/openapi.json
https://[2001:4860:4860::8888]:8443/
https://[2A00:1450:4001:0810:0000:0000:0000:200E]/
https://dual-stack.example/
""".strip().splitlines()

# What public DNS answers, or an attacker's would, for the names above.
ANSWERS = {
    "localtest.me": ["127.0.0.1"],
    "customer1.app.localhost.my.company.127.0.0.1.nip.io": ["127.0.0.1"],
    "127.0.0.1.nip.io": ["127.0.0.1"],
    "127.0.0.1.xip.io": ["127.0.0.1"],
    "169.254.169.254.xip.io": ["169.254.169.254"],
    "spoofed.burpcollaborator.net": ["127.0.0.1"],
    "make-1.2.3.4-rebind-169.254-169.254-rr.1u.ms": ["1.2.3.4", "169.254.169.254"],
    "rancher-metadata": ["169.254.169.250"],
    "kubernetes.default.svc": ["10.96.0.1"],
    "kubernetes.default.svc.cluster.local": ["10.96.0.1"],
    "internal.corp.example": ["172.20.3.4"],
    "both-public-and-private.example": ["93.184.215.14", "10.0.0.1"],
    "public-v4-private-v6.example": ["93.184.215.14", "fd00::7"],
    "mapped-answer.example": ["::ffff:93.184.215.14"],
    "zoned-answer.example": ["fe80::1%2"],
    "azure-answer.example": ["168.63.129.16"],
    "dual-stack.example": ["93.184.215.14", "2606:2800:21f:cb07:6820:80da:af6b:8b2c"],
}
