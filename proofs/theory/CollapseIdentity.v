(** The collapse identity, for every loss, label matrix, dimension and bias mode.

    The unconstrained features model minimises, over W (K x d), H (d x N), b (K),

      f(W, H, b) = L(W H + b 1^T) + lw/2 |W|^2 + lh/2 |H|^2 + lb/2 |b|^2.

    If G is a subgradient of L at Zs with ||G||_op^2 <= lw lh and G balances the
    bias, then f minus the dual value is a sum of four nonnegative terms: fit,
    self-duality, within-class variability, bias. *)
From mathcomp Require Import all_ssreflect all_algebra.
From mathcomp Require Import ring.
From UFM Require Import Frobenius Semidefinite.
Set Implicit Arguments. Unset Strict Implicit. Unset Printing Implicit Defensive.
Import Order.TTheory GRing.Theory Num.Theory.
Local Open Scope ring_scope.

Definition ones (R : rcfType) n : 'rV[R]_n := const_mx 1.
Arguments ones {R} n.

(** ** The regulariser
    For every G:  lw/2 |W|^2 + lh/2 |H|^2 + <G, W H>
      = lw/2 |W + G H^T / lw|^2 + lh/2 tr (H (I - G^T G / (lw lh)) H^T). *)
Section Regulariser.
Variables (R : rcfType) (K d N : nat) (lw lh : R).
Hypotheses (lw0 : 0 < lw) (lh0 : 0 < lh).
Variables (G : 'M[R]_(K, N)) (W : 'M[R]_(K, d)) (H : 'M[R]_(d, N)).

Definition self_duality := W + lw^-1 *: (G *m H^T).
Definition within_class :=
  frob (H *m (1%:M - (lw * lh)^-1 *: (G^T *m G))) H.

Let lwN : lw != 0. Proof. by rewrite gt_eqF. Qed.
Let lhN : lh != 0. Proof. by rewrite gt_eqF. Qed.

Lemma within_classE : within_class = sqF H - (lw * lh)^-1 * sqF (G *m H^T).
Proof.
rewrite /within_class mulmxBr mulmx1 frobBl -scalemxAr frobZl mulmxA frob_mull.
by have -> : sqF (G *m H^T) = sqF (H *m G^T) by rewrite -sqF_tr trmx_mul trmxK.
Qed.

Lemma regulariser_identity :
  lw / 2%:R * sqF W + lh / 2%:R * sqF H + frob G (W *m H)
  = lw / 2%:R * sqF self_duality + lh / 2%:R * within_class.
Proof.
have -> : frob G (W *m H) = frob W (G *m H^T) by rewrite frobC frob_mull.
rewrite within_classE /self_duality sqFD frobZr sqFZ.
by field; rewrite lwN lhN.
Qed.

Hypothesis op : op_sq_le G (lw * lh).

Lemma within_class_ge0 : 0 <= within_class.
Proof.
have := op_sq_leP H op; rewrite within_classE subr_ge0 => h.
by rewrite mulrC ler_pdivr_mulr ?mulr_gt0 // mulrC.
Qed.

(** The third term vanishes exactly when every feature lies in the range of G^T
    where ||G||_op is attained. *)
Lemma within_class_eq0 : within_class = 0 <-> (lw * lh) *: H = H *m G^T *m G.
Proof.
rewrite -(op_sq_eqP H op) within_classE.
have e : lw * lh * sqF H - sqF (G *m H^T)
    = (lw * lh) * (sqF H - (lw * lh)^-1 * sqF (G *m H^T)).
  by field; rewrite lwN lhN.
rewrite e; split=> [->|/eqP]; first by rewrite mulr0.
by rewrite !mulf_eq0 (negbTE lwN) (negbTE lhN) => /eqP.
Qed.

(** ||G||_op^2 <= lw lh gives lw/2 |W|^2 + lh/2 |H|^2 >= <-G, W H>. *)
Lemma regulariser_bound :
  0 <= lw / 2%:R * sqF W + lh / 2%:R * sqF H + frob G (W *m H).
Proof.
rewrite regulariser_identity addr_ge0 //.
  by rewrite scale_sqF_ge0 // divr_ge0 ?ler0n // ltW.
by rewrite mulr_ge0 ?within_class_ge0 // divr_ge0 ?ler0n // ltW.
Qed.

Lemma regulariser_bound_eq :
  lw / 2%:R * sqF W + lh / 2%:R * sqF H + frob G (W *m H) = 0 <->
  W = - lw^-1 *: (G *m H^T) /\ (lw * lh) *: H = H *m G^T *m G.
Proof.
have w0 : 0 < lw / 2%:R by rewrite divr_gt0 ?ltr0n.
have h0 : 0 < lh / 2%:R by rewrite divr_gt0 ?ltr0n.
rewrite regulariser_identity -within_class_eq0; split=> [/eqP|[e ->]].
  have w1 := ltW w0; have h1 := ltW h0.
  rewrite paddr_eq0 ?scale_sqF_ge0 ?(mulr_ge0 h1) ?within_class_ge0 //.
  rewrite scale_sqF_eq0 // mulf_eq0 (gt_eqF h0) /= addr_eq0 => /andP[/eqP e /eqP ->].
  by rewrite {1}e scaleNr.
by rewrite /self_duality {1}e scaleNr addNr sqF0 !mulr0 addr0.
Qed.
End Regulariser.

Lemma sum4_le (R : rcfType) (a b c d e : R) :
  0 <= a -> 0 <= b -> 0 <= c -> 0 <= d -> a + b + c + d <= e ->
  [/\ a <= e, b <= e, c <= e & d <= e].
Proof.
move=> a0 b0 c0 d0 le; split; apply: le_trans le; rewrite -subr_ge0.
- by have -> : a + b + c + d - a = b + c + d by [ring]; rewrite !addr_ge0.
- by have -> : a + b + c + d - b = a + c + d by [ring]; rewrite !addr_ge0.
- by have -> : a + b + c + d - c = a + b + d by [ring]; rewrite !addr_ge0.
by rewrite addrK !addr_ge0.
Qed.

(** ** The model *)
Section Model.
Variable R : rcfType.

(** b = 0; b free of charge; b at the price lb/2 |b|^2. *)
Inductive bias_mode := NoBias | FreeBias | RegularizedBias of R.

Definition bias_weight m : R := if m is RegularizedBias lb then lb else 0.

Variables (K d N : nat).
Definition bias_allowed m (b : 'cV[R]_K) : Prop := if m is NoBias then b = 0 else True.

Definition ufm (L : 'M[R]_(K, N) -> R) (lw lh : R) (m : bias_mode)
    (W : 'M[R]_(K, d)) (H : 'M[R]_(d, N)) (b : 'cV[R]_K) : R :=
  L (W *m H + b *m ones N)
  + lw / 2%:R * sqF W + lh / 2%:R * sqF H + bias_weight m / 2%:R * sqF b.

Definition global_min L lw lh m W H b : Prop :=
  bias_allowed m b /\
  forall W' H' b', bias_allowed m b' ->
    ufm L lw lh m W H b <= ufm L lw lh m W' H' b'.

(** G is a subgradient of L at Z: the tangent inequality. *)
Definition subgradient (L : 'M[R]_(K, N) -> R) (Z G : 'M[R]_(K, N)) : Prop :=
  forall Z', L Z + frob G (Z' - Z) <= L Z'.

(** The subgradient and the bias bs are in balance. *)
Definition bias_balanced m (G : 'M[R]_(K, N)) (bs : 'cV[R]_K) : Prop :=
  match m with
  | NoBias => bs = 0
  | FreeBias => G *m (ones N)^T = 0
  | RegularizedBias lb => 0 < lb /\ G *m (ones N)^T = - lb *: bs
  end.

Record certificate L lw lh m (Zs : 'M[R]_(K, N)) (bs : 'cV[R]_K) (G : 'M[R]_(K, N)) : Prop :=
  Certificate {
    tangent : subgradient L Zs G;
    op_bound : op_sq_le G (lw * lh);
    balance : bias_balanced m G bs }.

Definition dual_value (L : 'M[R]_(K, N) -> R) m Zs (bs : 'cV[R]_K) G : R :=
  L Zs - frob G Zs - bias_weight m / 2%:R * sqF bs.
End Model.
Arguments NoBias {R}.
Arguments FreeBias {R}.
Arguments RegularizedBias {R} _.

Section Identity.
Variables (R : rcfType) (K d N : nat).
Variables (L : 'M[R]_(K, N) -> R) (lw lh : R) (m : bias_mode R).
Hypotheses (lw0 : 0 < lw) (lh0 : 0 < lh).
Variables (Zs : 'M[R]_(K, N)) (bs : 'cV[R]_K) (G : 'M[R]_(K, N)).
Local Notation lb := (bias_weight m).
Local Notation fs := (dual_value L m Zs bs G).
Local Notation f := (ufm L lw lh m).
Implicit Types (W : 'M[R]_(K, d)) (H : 'M[R]_(d, N)) (b : 'cV[R]_K).

Definition logits W H b : 'M[R]_(K, N) := W *m H + b *m ones N.

(** The Bregman term of the loss. *)
Definition bregman (Z : 'M[R]_(K, N)) : R := L Z - L Zs - frob G (Z - Zs).

Lemma frob_bias b : frob G (b *m ones N) = frob (G *m (ones N)^T) b.
Proof. by rewrite frobC frob_mull frobC. Qed.

(** Completing the square in b. *)
Lemma bias_square b : bias_balanced m G bs -> bias_allowed m b ->
  lb / 2%:R * sqF b + frob G (b *m ones N)
  = lb / 2%:R * sqF (b - bs) - lb / 2%:R * sqF bs.
Proof.
rewrite frob_bias; case: m => [||l] /=.
- by move=> _ ->; rewrite frob0r !mul0r subr0 addr0.
- by move=> -> _; rewrite frob0l !mul0r subr0 addr0.
by case=> _ -> _; rewrite frobZl sqFB (frobC bs); field.
Qed.

(** ** The collapse identity *)
Theorem collapse_identity W H b :
  bias_balanced m G bs -> bias_allowed m b ->
  f W H b - fs
  = bregman (logits W H b)
    + lw / 2%:R * sqF (self_duality lw G W H)
    + lh / 2%:R * within_class lw lh G H
    + lb / 2%:R * sqF (b - bs).
Proof.
move=> bal ok.
have e1 := regulariser_identity lw0 lh0 G W H.
have e2 := bias_square bal ok.
have e3 : frob G (logits W H b) = frob G (W *m H) + frob G (b *m ones N) by rewrite frobDr.
have -> : lb / 2%:R * sqF (b - bs)
    = lb / 2%:R * sqF b + frob G (b *m ones N) + lb / 2%:R * sqF bs.
  by rewrite e2; ring.
rewrite -[_ + lw / _ * _ + _]addrA -e1 /bregman /dual_value /ufm frobBr e3.
by rewrite -/(logits W H b); ring.
Qed.

(** The value in the usual form: L(Zs) + <-G, Zs - bs 1^T> + lb/2 |bs|^2, where
    <-G, .> is mu times the nuclear norm when G is aligned. *)
Lemma dual_valueE : bias_balanced m G bs ->
  fs = L Zs - frob G (Zs - bs *m ones N) + lb / 2%:R * sqF bs.
Proof.
move=> bal; rewrite /dual_value frobBr frob_bias.
case: m bal => [||l] /=.
- by move=> ->; rewrite frob0r; ring.
- by move=> ->; rewrite frob0l; ring.
by case=> _ ->; rewrite frobZl -/(sqF bs); field.
Qed.

Hypothesis cert : certificate L lw lh m Zs bs G.
Let bal : bias_balanced m G bs := balance cert.

Lemma bregman_ge0 Z : 0 <= bregman Z.
Proof. by rewrite /bregman subr_ge0 ler_subr_addl (tangent cert). Qed.

Lemma bias_weight_ge0 : 0 <= lb.
Proof. by move: bal; case: m => //= l [/ltW]. Qed.

Let w0 : 0 < lw / 2%:R. Proof. by rewrite divr_gt0 ?ltr0n. Qed.
Let h0 : 0 < lh / 2%:R. Proof. by rewrite divr_gt0 ?ltr0n. Qed.
Let b0 : 0 <= lb / 2%:R. Proof. by rewrite divr_ge0 ?ler0n // bias_weight_ge0. Qed.
Let t1 W H b : 0 <= bregman (logits W H b). Proof. exact: bregman_ge0. Qed.
Let t2 W H : 0 <= lw / 2%:R * sqF (self_duality lw G W H).
Proof. by rewrite scale_sqF_ge0 // ltW. Qed.
Let t3 H : 0 <= lh / 2%:R * within_class lw lh G H.
Proof. by rewrite mulr_ge0 ?(within_class_ge0 lw0 lh0 H (op_bound cert)) // ltW. Qed.
Let t4 b : 0 <= lb / 2%:R * sqF (b - bs). Proof. by rewrite scale_sqF_ge0. Qed.

(** ** Weak duality: fs is a lower bound at every d. *)
Theorem collapse_lower W H b : bias_allowed m b -> fs <= f W H b.
Proof.
move=> ok; rewrite -subr_ge0 collapse_identity //.
exact: addr_ge0 (addr_ge0 (addr_ge0 (t1 W H b) (t2 W H)) (t3 H)) (t4 b).
Qed.

(** ** The gap bounds each term. *)
Theorem collapse_gap W H b eps : bias_allowed m b -> f W H b - fs <= eps ->
  [/\ bregman (logits W H b) <= eps,
      lw / 2%:R * sqF (self_duality lw G W H) <= eps,
      lh / 2%:R * within_class lw lh G H <= eps
    & lb / 2%:R * sqF (b - bs) <= eps].
Proof.
move=> ok; rewrite collapse_identity // => le.
exact: (sum4_le (t1 W H b) (t2 W H) (t3 H) (t4 b) le).
Qed.

(** ** Equality: exactly the common zeros of the four terms. *)
Definition collapsed W H b : Prop :=
  [/\ bregman (logits W H b) = 0,
      W = - lw^-1 *: (G *m H^T),
      (lw * lh) *: H = H *m G^T *m G
    & lb *: (b - bs) = 0].

Theorem collapse_iff W H b : bias_allowed m b -> f W H b = fs <-> collapsed W H b.
Proof.
move=> ok; have op := op_bound cert; split=> [/eqP|[e1 e2 e3 e4]].
  have t12 := addr_ge0 (t1 W H b) (t2 W H).
  rewrite -subr_eq0 collapse_identity // paddr_eq0 ?(addr_ge0 t12) //.
  rewrite paddr_eq0 // paddr_eq0 // -!andbA => /and4P[/eqP e1]; rewrite scale_sqF_eq0 // addr_eq0 => /eqP e2.
  rewrite mulf_eq0 (gt_eqF h0) /= => /eqP/(within_class_eq0 lw0 lh0 H op) e3 e4.
  split=> //; first by rewrite {1}e2 scaleNr.
  apply/eqP; rewrite scaler_eq0 -sqF_eq0; move: e4; rewrite !mulf_eq0 invr_eq0.
  by rewrite pnatr_eq0 orbF.
apply/eqP; rewrite -subr_eq0 collapse_identity // e1.
have -> : self_duality lw G W H = 0 by rewrite /self_duality {1}e2 scaleNr addNr.
rewrite (within_class_eq0 lw0 lh0 H op).2 // sqF0 !mulr0 !add0r.
move/eqP: e4; rewrite scaler_eq0 => /orP[/eqP->|/eqP->]; first by rewrite !mul0r.
by rewrite sqF0 mulr0.
Qed.

(** At a common zero the bias is bs, or (free bias) the features have mean zero. *)
Lemma bias_determined W H b : bias_allowed m b -> collapsed W H b ->
  b = bs \/ (m = FreeBias /\ H *m (ones N)^T = 0).
Proof.
have lN : lw * lh != 0 by rewrite mulf_neq0 ?gt_eqF.
move=> ok [_ _ e3]; move: bal ok; case: m => [||l] /=.
- by move=> -> ->; left.
- move=> G1 _ _; right; split=> //; apply/eqP.
  rewrite -[_ == 0]orFb -(negbTE lN) -scaler_eq0 scalemxAl e3 -!mulmxA G1.
  by rewrite !mulmx0.
case=> l0 _ _ /eqP; rewrite scaler_eq0 gt_eqF //= subr_eq0 => /eqP.
by left.
Qed.

(** ** Global minimisers are exactly the common zeros, as soon as one exists. *)
Theorem collapse_minimisers W H b :
  (exists W0 H0 b0, bias_allowed m b0 /\ @ufm R K d N L lw lh m W0 H0 b0 = fs) ->
  global_min L lw lh m W H b <-> bias_allowed m b /\ collapsed W H b.
Proof.
move=> [W1 [H1 [b1 [ok1 e1]]]]; split=> [[ok mn]|[ok c]].
  split=> //; apply/(collapse_iff _ _ ok)/eqP.
  by rewrite eq_le collapse_lower // andbT -e1 mn.
split=> // W' H' b' ok'; rewrite (collapse_iff _ _ ok).2 //.
exact: collapse_lower.
Qed.

(** ** Attainment: alignment, and d at least the rank of Zs - bs 1^T, suffice.
    Alignment says that -G^T A is the semidefinite square root of mu^2 A^T A, that
    is <-G, A> = mu times the nuclear norm of A. *)
Definition aligned (A : 'M[R]_(K, N)) : Prop :=
  [/\ (G^T *m A)^T = G^T *m A, psd (- (G^T *m A)) & G *m G^T *m A = (lw * lh) *: A].

Theorem collapse_attained :
  let A := Zs - bs *m ones N in
  aligned A -> (\rank A <= d)%N -> bias_allowed m bs ->
  exists (W : 'M_(K, d)) (H : 'M_(d, N)), f W H bs = fs.
Proof.
move=> A [sym pos GGA] rA ok.
have lN : lw * lh != 0 by rewrite mulf_neq0 ?gt_eqF.
pose S := - lh^-1 *: (G^T *m A).
have St : S^T = S by rewrite /S trmxZ sym.
have S0 : psd S by rewrite /S scaleNr -scalerN; apply: psdZ pos; rewrite invr_ge0 ltW.
have rS : (\rank S <= d)%N.
  by apply: leq_trans rA; apply: leq_trans (mxrank_scale _ _) (mxrankM_maxr _ _).
have [H HH] := gram_factor St S0 rS.
exists (- lw^-1 *: (G *m H^T)), H; apply/(collapse_iff _ _ ok).
have WH : (- lw^-1 *: (G *m H^T)) *m H = A.
  rewrite -scalemxAl -mulmxA HH /S -scalemxAr mulmxA GGA !scalerA.
  have -> : - lw^-1 * - lh^-1 * (lw * lh) = 1 by field; rewrite !gt_eqF.
  by rewrite scale1r.
split=> //; last by rewrite subrr scaler0.
  by rewrite /bregman /logits WH subrK !subrr frob0r subr0.
apply/eqP; rewrite -subr_eq0 -mulmxA -mul_mx_scalar -mulmxBr -gram_eq0.
rewrite trmx_mul -mulmxA (mulmxA H^T) HH gram_sym.
have -> : S *m ((lw * lh)%:M - G^T *m G) = 0.
  rewrite -St; apply: trmx_inj; rewrite trmx_mul trmxK gram_sym trmx0 /S.
  rewrite -scalemxAr mulmxBl mul_scalar_mx -mulmxA [G *m (_ *m _)]mulmxA GGA.
  by rewrite -scalemxAr subrr scaler0.
by rewrite mulmx0.
Qed.
End Identity.
